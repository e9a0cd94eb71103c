using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>
/// Tests the progress of the keys of order guards: it makes deferred events due, and gaps can be skipped.
/// </summary>
internal static class GuardProgressScenarios
{
    private const string Key = "order-1";

    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "advance-wakes",
            "A change of a key makes deferred events of the key due: all those without a number, and of the others the lowest, so that no "
                + "event waits longer than necessary.",
            AdvanceAsync) { SkipUnless = StoreRule.Failures },
        new(
            "deferral-races",
            "An event that is deferred while its key changes is either made due or evaluated again, so that no event misses its turn.",
            RacesAsync) { SkipUnless = StoreRule.Failures },
        new(
            "gap-given-up",
            "When the waiting event with the lowest number became a dead letter and is retried, the sequence continues without the missing "
                + "numbers before it, and only then, so that operators can let a sequence continue.",
            GapAsync) { SkipUnless = StoreRule.Failures },
        new(
            "order-retention",
            "Keys without a change for a long time are removed, unless events wait for them, so that a store does not grow without limit.",
            SweepAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task AdvanceAsync(StoreRun run)
    {
        foreach (var (id, position) in new (string, long?)[]
        {
            ("seven", 7),
            ("low", Sample.Huge),
            ("any", null),
            ("high", Sample.Huge + 1),
            ("nine", 9),
            ("any 2", null)
        })
        {
            Expect.Equal(
                DeferOutcome.Deferred,
                await run.Failures.DeferAsync(run.Deferred(id, Key, position), 0, 10, default),
                $"the answer to deferring '{id}'");
        }

        await run.Failures.DeferAsync(run.Deferred("elsewhere", "another key", 1), 0, 10, default);
        await run.Failures.DeferAsync(run.Deferred("stock", Key, 1) with { Subscription = "stock" }, 0, 10, default);
        await run.RecordAsync(
            run.Waiting("retry", 30) with { OrderKey = Key, Position = 1 },
            run.Dead("dead") with { OrderKey = Key, Position = 2 });

        Expect.That(
            !await run.Failures.AdvanceAsync("mail", "a third key", 1, run.Now, default),
            "progress of a key without deferred events makes none due");
        await run.ExpectDueAsync([], "before any progress of the key");
        Expect.That(await run.Failures.AdvanceAsync("mail", Key, 6, run.In(1), default), "progress of the key makes entries due");
        await run.ExpectDueAsync([], "before the time of the progress", 0.9);
        var due = await run.ClaimAsync(1);
        Expect.Sequence(
            ["any", "any 2", "seven"],
            due.Select(entry => entry.Envelope.Id).Order(StringComparer.Ordinal),
            "the entries that the first progress makes due");
        foreach (var entry in due)
        {
            await run.Failures.CompleteAsync(entry, default);
        }

        foreach (var (id, position) in new (string, long)[] { ("nine", 7), ("low", 9), ("high", Sample.Huge) })
        {
            Expect.That(
                await run.Failures.AdvanceAsync("mail", Key, position, run.In(1), default),
                $"progress to {position} makes an entry due");
            await run.Failures.CompleteAsync(await run.ClaimOneAsync(id, 1), default);
        }

        Expect.That(
            !await run.Failures.AdvanceAsync("mail", Key, Sample.Huge + 1, run.In(1), default),
            "progress of a key whose events are all due makes none due");
        await run.ExpectDueAsync(["retry"], "at the time of the retry, which the progress did not change", 30);
    }

    private static async Task RacesAsync(StoreRun run)
    {
        var other = await run.OpenSecondFailureStoreAsync();
        for (var round = 0; round < 50; round++)
        {
            var (stamp, position) = await run.Failures.GetOrderAsync("mail", Key, default);
            var advance = run.Failures.AdvanceAsync("mail", Key, (position ?? 0) + 1, run.Now, default).AsTask();
            var outcome = await other.DeferAsync(run.Deferred($"{round}", Key, (position ?? 0) + 2), stamp, 10, default);
            await advance;
            Expect.That(
                outcome is DeferOutcome.Deferred or DeferOutcome.Changed,
                "an event that is deferred, or must be evaluated again",
                outcome);
            var due = await run.ClaimAsync();
            Expect.Equal(
                outcome == DeferOutcome.Deferred ? 1 : 0,
                due.Count,
                $"the number of due entries after {outcome} and progress of the key");
            foreach (var entry in due)
            {
                await run.Failures.CompleteAsync(entry, default);
            }

            Expect.Equal(0, await run.Failures.CountAsync(default), "the number of entries after a round");
        }
    }

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

    private static async Task SweepAsync(StoreRun run)
    {
        await run.Failures.AdvanceAsync("mail", "old", 1, run.In(-20), default);
        await run.Failures.AdvanceAsync("mail", "again", 1, run.In(-20), default);
        await run.Failures.AdvanceAsync("mail", "again", 2, run.In(-5), default);
        await run.Failures.AdvanceAsync("mail", "waited for", 1, run.In(-20), default);
        var (stamp, _) = await run.Failures.GetOrderAsync("mail", "waited for", default);
        Expect.Equal(
            DeferOutcome.Deferred,
            await run.Failures.DeferAsync(run.Deferred("1", "waited for", 3, 30), stamp, 10, default),
            "the answer to deferring");
        await SweepAsync(-10);
        Expect.Equal(default, await run.Failures.GetOrderAsync("mail", "old", default), "the state of a key that was swept");
        Expect.Equal(
            2,
            (await run.Failures.GetOrderAsync("mail", "again", default)).Position,
            "the position of a key that changed recently");
        Expect.Equal(
            1,
            (await run.Failures.GetOrderAsync("mail", "waited for", default)).Position,
            "the position of a key where an event waits");

        // One second later: a store may check a key with waiting events only once for each sweep time.
        await run.Failures.CompleteAsync(await run.ClaimOneAsync("1", 30), default);
        await SweepAsync(-9);
        Expect.Equal(
            default,
            await run.Failures.GetOrderAsync("mail", "waited for", default),
            "the state of a key that was swept when no event waited");
        await run.Failures.AdvanceAsync("mail", "old", 1, run.Now, default);
        Expect.Equal(1, (await run.Failures.GetOrderAsync("mail", "old", default)).Position, "the position of a key that began anew");

        Task SweepAsync(double orderBefore) => run.Failures.SweepAsync(run.In(-9_999), run.In(orderBefore), 100, default).AsTask();
    }
}
