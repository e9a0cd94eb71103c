namespace EventBus.Conformance;

/// <summary>Tests the order in which due entries are claimed.</summary>
internal static class DueOrderScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "longest-due-first",
            "Due entries are returned in the order of their due times, up to a maximum for each subscription, so that many entries of one "
                + "subscription do not delay the others.",
            LongestDueFirstAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task LongestDueFirstAsync(StoreRun run)
    {
        await run.RecordAsync(run.Waiting("c", -1), run.Waiting("a", -3), run.Waiting("d", 9), run.Waiting("b", -2));
        await run.RecordAsync(
            run.Waiting("e", -2.5) with { Subscription = "stock" },
            run.Waiting("f", -2.4) with { Subscription = "stock" },
            run.Waiting("g", -9) with { Subscription = "loyalty" });

        var both = await run.Failures.ClaimDueAsync(["mail", "stock"], run.Now, StoreRun.Lease, 2, default);
        Expect.Sequence(
            ["mail~a", "stock~e", "stock~f", "mail~b"],
            both.Entries.Select(entry => entry.Id),
            "the entries that two subscriptions claim, two each");
        Expect.That(
            both.Entries.All(entry => entry is { Attempts: 2, Claim: > 0, WasInterrupted: false }),
            "claimed entries with their attempt counted and a claim number",
            string.Join(", ", both.Entries));
        Expect.That(both.NextDue <= run.Now, "the next due time is not later than now, because more is due", both.NextDue);

        var rest = await run.Failures.ClaimDueAsync(["mail", "stock"], run.Now, StoreRun.Lease, 2, default);
        Expect.Sequence(["mail~c"], rest.Entries.Select(entry => entry.Id), "the entries that are left to claim");
        Expect.Equal(run.In(9), rest.NextDue, "the next due time");
        var none = await run.Failures.ClaimDueAsync(["stock", "unknown"], run.Now, StoreRun.Lease, 2, default);
        Expect.That(
            none.Entries.Count == 0 && (none.NextDue is null || none.NextDue > run.Now),
            "nothing, and no next due time because of entries that are due for other subscriptions",
            $"{none.Entries.Count} entries, next due {none.NextDue:O}");
        Expect.Equal(
            0,
            (await run.Failures.ClaimDueAsync([], run.Now, StoreRun.Lease, 2, default)).Entries.Count,
            "the number of entries that are claimed for no subscription");
        Expect.Sequence(
            ["loyalty~g"],
            (await run.Failures.ClaimDueAsync(["loyalty"], run.Now, StoreRun.Lease, 2, default)).Entries.Select(entry => entry.Id),
            "the entries of a subscription that was not asked for before");
    }
}
