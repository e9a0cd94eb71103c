using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the separation of lines: every key of every subscription has its own.</summary>
internal static class LineSeparationScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "lines-apart",
            "Every key of every subscription has its own line, with any characters in the key, so that one key never delays another.",
            ApartAsync) { SkipUnless = StoreRule.Failures },
    ];

    private static async Task ApartAsync(StoreRun run)
    {
        // The pairs differ, but some are equal if subscription and key are joined without care.
        (string Subscription, string Key)[] lines =
        [
            .. Sample.UnusualKeys.Select(key => ("mail", key)),
            ("mail.a", "b"),
            ("mail", "a.b"),
            ("mail-a", "b"),
            ("mail", "a-b"),
            ("mail", ""),
            ("stock", "a")
        ];
        var subscriptions = lines.Select(line => line.Subscription).Distinct().ToList();
        foreach (var (subscription, key) in lines)
        {
            await run.ExpectParkAsync(ParkOutcome.NotBlocked, run.Parked("early", key) with { Subscription = subscription });
            await run.RecordAsync(Head(subscription, key));
            await run.ExpectParkAsync(
                ParkOutcome.Parked,
                run.Parked($"parked {Uri.EscapeDataString(key)}", key) with { Subscription = subscription });
        }

        var heads = (await run.Failures.ClaimDueAsync(subscriptions, run.Now, StoreRun.Lease, 100, default)).Entries;
        Expect.Sequence(
            lines.Select(line => Head(line.Subscription, line.Key).Id).Order(StringComparer.Ordinal),
            heads.Select(head => head.Id).Order(StringComparer.Ordinal),
            "the heads of all lines");
        for (var i = 0; i < heads.Count; i++)
        {
            await run.Failures.CompleteAsync(heads[i], default);
            var next = (await run.Failures.ClaimDueAsync(subscriptions, run.Now, StoreRun.Lease, 100, default)).Entries;
            Expect.Sequence(
                [$"{heads[i].Subscription}~parked {Uri.EscapeDataString(heads[i].LineKey!)}"],
                next.Select(entry => entry.Id),
                $"the entry that follows the head of '{heads[i].LineKey}' in {heads[i].Subscription}");
        }

        FailedEvent Head(string subscription, string key) =>
            run.Waiting($"head {Uri.EscapeDataString(key)}", line: key) with { Subscription = subscription };
    }
}
