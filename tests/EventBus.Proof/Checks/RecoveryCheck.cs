namespace EventBus.Proof;

/// <summary>
/// Checks that a new event is handled soon after each fault, and that no call takes longer than its deadline.
/// </summary>
internal static class RecoveryCheck
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <param name="findings">Receives the findings.</param>
    /// <param name="rounds">The faults, in order.</param>
    /// <param name="longest">The maximum time of a recovery.</param>
    /// <param name="longestCall">The duration of the longest publish.</param>
    /// <param name="deadline">The maximum duration of a publish.</param>
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
