using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the progress of the keys of order guards: it makes deferred events due.</summary>
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
}
