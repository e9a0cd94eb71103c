using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Tests the storing of failed events: an event is stored once, and the owner of its claim replaces its entry once.
/// </summary>
internal static class RecordScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "kept-once",
            "A second copy of a stored event changes nothing, in any status of the first copy, so that a redelivery neither repeats work "
                + "nor retries a dead letter.",
            KeptOnceAsync) { SkipUnless = StoreRule.Failures },
        new(
            "copies-at-once",
            "If copies of an event fail at the same time on two instances, exactly one is stored, so that an event has one series of "
                + "retries.",
            CopiesAtOnceAsync) { SkipUnless = StoreRule.Failures },
        new(
            "claimed-record",
            "The owner of a claim replaces the entry once, and the claim ends, so that a retry and its outcome are one step.",
            ClaimedRecordAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task KeptOnceAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("waiting", 30), run.Waiting("claimed", line: "k"), run.Dead("dead"));
        await run.ExpectParkAsync(ParkOutcome.Parked, run.Parked("parked", "k"));
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(run.Deferred("deferred", "o"), 0, 10, default),
            "the first deferral");
        var claimed = await run.ClaimOneAsync("claimed");

        foreach (var id in new[] { "waiting", "claimed", "dead", "parked", "deferred" })
        {
            Expect.That(!await run.Failures.RecordAsync(run.Waiting(id), default), $"a second copy of what is {id} is not kept as waiting");
            Expect.That(!await run.Failures.RecordAsync(run.Dead(id), default), $"a second copy of what is {id} is not kept as dead");

            // An event that is stored already counts as deferred, but its entry does not change.
            Expect.Equal(
                DeferOutcome.Deferred,
                await run.Failures.DeferAsync(run.Deferred(id, "other", due: 0), 0, 10, default),
                $"the answer to deferring a second copy of what is {id}");
        }

        Expect.Equal(5, await run.Failures.CountAsync(default), "the number of entries after copies of all were refused");
        await run.ExpectDeadAsync(["dead"], "after copies of all were refused");
        await run.ExpectDueAsync([], "after copies of all were refused");
        await run.Failures.CompleteAsync(claimed, default);
        await run.ExpectDueAsync(["parked"], "after the claim was completed, which the copy did not end");
        await run.ExpectDueAsync(["waiting"], "30 s later", 30);
    }

    private static async Task CopiesAtOnceAsync(StoreRun run)
    {
        KeyedFailureStore[] instances = [run.Failures, await run.OpenSecondFailureStoreAsync()];
        for (var i = 0; i < 40; i++)
        {
            var entry = run.Waiting($"{i}");
            var kept = await Task.WhenAll(Enumerable.Range(0, 4).Select(copy => instances[copy % 2].RecordAsync(entry, default).AsTask()));
            Expect.Equal(1, kept.Count(stored => stored), "the number of stored copies of four that are recorded at once");
        }

        Expect.Equal(40, await run.Failures.CountAsync(default), "the number of entries");
    }

    private static async Task ClaimedRecordAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("1"));
        var claimed = await run.ClaimOneAsync("1");
        var again = claimed with { DueAt = run.In(30), Error = "It failed again.", LastFailedAt = run.In(1) };
        Expect.That(await run.Failures.RecordAsync(again, default), "the owner replaces its entry");
        Expect.That(
            !await run.Failures.RecordAsync(again with { Status = FailedEventStatus.Dead }, default),
            "a second record under the same claim is refused");
        await run.ExpectDueAsync([], "before the new time", 29);

        claimed = await run.ClaimOneAsync("1", 30);
        Expect.Equal(
            (3, "It failed again.", run.In(1), 0L, false),
            (claimed.Attempts, claimed.Error, claimed.LastFailedAt, claimed.Number, claimed.WasInterrupted),
            "the entry when it is due again");
        Expect.That(await run.Failures.RecordAsync(
            claimed with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.PermanentFailure },
            default), "the owner makes its entry a dead letter");
        await run.ExpectDueAsync([], "after it became a dead letter", 1_000);
        var dead = await run.DeadLetters.FindAsync(claimed.Id, default);
        Expect.That(
            dead is { Attempts: 3, Number: > 0, Reason: DeadLetterReason.PermanentFailure },
            "a dead letter with 3 attempts, a number and its reason",
            dead);
    }
}
