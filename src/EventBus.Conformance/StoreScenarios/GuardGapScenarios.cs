using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests gaps in a sequence: a retry of the lowest waiting event skips the numbers before it.</summary>
internal static class GuardGapScenarios
{
    private const string Key = "order-1";

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "gap-given-up",
            "When the waiting event with the lowest number became a dead letter and is retried, the sequence continues without the missing "
                + "numbers before it, and only then, so that operators can let a sequence continue.",
            GapAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task GapAsync(StoreRun run)
    {
        await run.Failures.AdvanceAsync("mail", Key, 3, run.Now, default);
        await run.RecordAsync(
            Late("6", Key, 6),
            Late("9", Key, 9),
            Late("failed", Key, 20) with { Reason = DeadLetterReason.HandlerFailed },
            Late("elsewhere", "another key", 2));
        await RetryDeadAsync("9", 3, "which is not the lowest");
        await RetryDeadAsync("6", 5, "which is the lowest");
        await run.Failures.AdvanceAsync("mail", Key, 6, run.Now, default);
        foreach (var entry in await run.ClaimAsync())
        {
            await run.Failures.CompleteAsync(entry, default);
        }

        await RetryDeadAsync("failed", 6, "which no guard had given up");
        Expect.Equal(
            null,
            (await run.Failures.GetOrderAsync("mail", "another key", default)).Position,
            "the position of a key that was never advanced");
        Expect.That(await run.DeadLetters.RetryAsync("mail~elsewhere", run.Now, default), "the only entry of a key is retried");
        Expect.Equal(
            1,
            (await run.Failures.GetOrderAsync("mail", "another key", default)).Position,
            "the position before the retried entry");

        // A gap is skipped only if no entry of any status has a lower number. A position never decreases.
        const string Third = "third";
        await run.RecordAsync(Late("8", Third, 8), run.Waiting("7", 600) with { OrderKey = Third, Position = 7 });
        Expect.That(await run.DeadLetters.RetryAsync("mail~8", run.Now, default), "an entry above a waiting one is retried");
        Expect.Equal(
            null,
            (await run.Failures.GetOrderAsync("mail", Third, default)).Position,
            "the position of a key whose lowest entry waits");
        const string Fourth = "fourth";
        await run.Failures.AdvanceAsync("mail", Fourth, 10, run.Now, default);
        await run.RecordAsync(Late("5", Fourth, 5));
        Expect.That(await run.DeadLetters.RetryAsync("mail~5", run.Now, default), "an entry below the position is retried");
        Expect.Equal(10, (await run.Failures.GetOrderAsync("mail", Fourth, default)).Position, "the position, which never falls");

        FailedEvent Late(string id, string key, long position) =>
            run.Dead(id, reason: DeadLetterReason.OutOfOrder) with { OrderKey = key, Position = position, Deadline = run.In(-1) };

        async Task RetryDeadAsync(string id, long position, string why)
        {
            Expect.That(await run.DeadLetters.RetryAsync($"mail~{id}", run.Now, default), $"'{id}' is retried");
            Expect.Equal(
                position,
                (await run.Failures.GetOrderAsync("mail", Key, default)).Position,
                $"the position after the retry of '{id}', {why}");
        }
    }
}
