using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the removal of the keys of order guards that have not changed for a long time.</summary>
internal static class GuardRetentionScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "order-retention",
            "Keys without a change for a long time are removed, unless events wait for them, so that a store does not grow without limit.",
            SweepAsync) { SkipUnless = StoreRule.Failures },
    ];

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
