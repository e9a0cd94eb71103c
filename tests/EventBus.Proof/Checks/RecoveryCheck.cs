namespace EventBus.Proof;

/// <summary>After every fault a fresh event gets through, soon; and no call outlives its deadline.</summary>
internal static class RecoveryCheck
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <param name="findings">Where the findings go.</param>
    /// <param name="rounds">The faults, in their order.</param>
    /// <param name="longest">How long it may take.</param>
    /// <param name="longestCall">How long the longest publish took.</param>
    /// <param name="deadline">How long a publish may take.</param>
    public static void Run(Findings findings, IReadOnlyList<FaultRound> rounds, TimeSpan longest, TimeSpan longestCall, TimeSpan deadline)
    {
        foreach (var kind in rounds.GroupBy(round => round.Fault).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            var times = kind.Select(round => round.Recovery ?? TimeSpan.MaxValue).Order().ToList();
            findings.Note(kind.Key, $"{times.Count:N0}; recovery median {Text(times[times.Count / 2])}, longest {Text(times[^1])}");
        }

        var all = rounds.Select(round => round.Recovery ?? TimeSpan.MaxValue).Order().ToList();
        var p99 = all[(int)Math.Ceiling(all.Count * 0.99) - 1];
        findings.None(
            "listeners silently dead",
            rounds.Index().Where(item => item.Item.Recovery is null).Select(item => $"{item.Item.Fault} (no. {item.Index + 1})"));
        findings.Demand(p99 <= longest, "recovery p99", $"{Text(p99)}, at most {Text(longest)}");
        findings.Demand(longestCall <= deadline + Grace, "longest call", $"{Text(longestCall)}, at most {Text(deadline + Grace)}");
    }

    private static string Text(TimeSpan time) => time == TimeSpan.MaxValue ? "never" : $"{time.TotalSeconds:0.00} s";
}
