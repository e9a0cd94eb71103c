using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Tests blocked lines: a dead letter at the head blocks its line until it is retried, discarded or leaves.
/// </summary>
internal static class BlockedLineScenarios
{
    private const string Key = "k";

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "line-dead-head",
            "A dead letter at the head blocks its line until an operator retries or discards it, so that operators decide whether to "
                + "keep the order.",
            DeadHeadAsync) { SkipUnless = StoreRule.Failures },
        new(
            "line-dead-in-the-middle",
            "A dead entry blocks its line only when it is the head, and removing it from the middle starts nothing, so that the order is "
                + "kept.",
            DeadInTheMiddleAsync) { SkipUnless = StoreRule.Failures },
        new(
            "line-left",
            "An entry that is recorded without a line key leaves its line, which continues without it, so that a subscription may continue "
                + "past its dead letters.",
            LeftAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task DeadHeadAsync(StoreRun run)
    {
        await run.RecordAsync(run.Dead("1", Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("2", Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("3", Key));
        await run.ExpectDueAsync([], "behind a dead head", 1_000_000);

        Expect.That(await run.DeadLetters.RetryAsync("mail~1", run.In(5), default), "the head is retried");
        var head = await run.ClaimOneAsync("1", 5);
        await run.ExpectDueAsync([], "behind a retried head that runs", 30);
        Expect.That(
            await run.Failures.RecordAsync(head with { Status = FailedEventStatus.Dead }, default),
            "the head becomes a dead letter again");
        await run.ExpectDueAsync([], "behind a head that became a dead letter again", 1_000_000);
        Expect.That(await run.DeadLetters.DiscardAsync("mail~1", default), "the head is discarded");
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("2"), default);
        await run.ClaimOneAsync("3");
    }

    private static async Task DeadInTheMiddleAsync(StoreRun run)
    {
        await run.RecordAsync(
            run.Waiting("1", line: Key),
            run.Dead("2", Key, DeadLetterReason.KeyBlocked),
            run.Waiting("3", line: Key),
            run.Dead("4", Key, DeadLetterReason.KeyBlocked),
            run.Dead("5", Key, DeadLetterReason.KeyBlocked));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("6", Key));
        var head = await run.ClaimOneAsync("1");
        Expect.That(await run.DeadLetters.DiscardAsync("mail~4", default), "a dead one in the middle is discarded");
        Expect.That(await run.DeadLetters.RetryAsync("mail~5", run.Now, default), "a dead one in the middle is retried");
        await run.ExpectDueAsync([], "while the head runs", 30);
        await run.Failures.CompleteAsync(head, default);
        await run.ExpectDueAsync([], "while the next one is dead", 1_000_000);
        Expect.That(await run.DeadLetters.RetryAsync("mail~2", run.Now, default), "the dead one is retried at the head");
        foreach (var id in new[] { "2", "3", "5", "6" })
        {
            await run.Failures.CompleteAsync(await run.ClaimOneAsync(id), default);
        }
    }

    private static async Task LeftAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("1", line: Key));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("2", Key));
        var head = await run.ClaimOneAsync("1");
        Expect.That(
            await run.Failures.RecordAsync(head with { Status = FailedEventStatus.Dead, LineKey = null }, default),
            "the head becomes a dead letter and leaves the line");
        head = await run.ClaimOneAsync("2");
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("3", Key));
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(run.Deferred("2", "o") with { Claim = head.Claim, LineKey = Key }, 0, 10, default),
            "the answer to deferring the head, which leaves the line");
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("3"), default);
        await run.ExpectParkAsync(ParkOutcome.NotBlocked, run.Parked("4", Key));
        await run.ExpectDeadAsync(["1"], "at the end");
        Expect.That(await run.DeadLetters.RetryAsync("mail~1", run.Now, default), "the entry that left the line is retried");
        await run.ClaimOneAsync("1");
    }
}
