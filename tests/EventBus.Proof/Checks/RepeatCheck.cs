namespace EventBus.Proof;

/// <summary>Counts the duplicate deliveries by the fault in whose round they came.</summary>
internal static class RepeatCheck
{
    /// <param name="findings">Receives the findings.</param>
    /// <param name="rounds">The faults, in order.</param>
    /// <param name="entries">The entries of the handlers.</param>
    public static void Run(Findings findings, IReadOnlyList<FaultRound> rounds, IEnumerable<Entry> entries)
    {
        var (handled, counts) = (new HashSet<long>(), new SortedDictionary<string, int>(StringComparer.Ordinal));
        foreach (var entry in entries.Where(entry => entry.Kind == Kind.End).OrderBy(entry => entry.At))
        {
            if (!handled.Add(entry.A))
            {
                var fault = rounds.Where(round => round.EndedAt >= entry.At).Select(round => round.Fault).FirstOrDefault() ?? "the end";
                counts[fault] = counts.GetValueOrDefault(fault) + 1;
            }
        }

        findings.Note("duplicate deliveries, by fault", string.Join("; ", counts.Select(pair => $"{pair.Key} {pair.Value:N0}")));
    }
}
