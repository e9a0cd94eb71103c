namespace EventBus.Proof;

/// <summary>
/// Compares the outcomes of the publisher with the effects: no event is lost, takes effect twice, or waits endlessly.
/// </summary>
internal static class LedgerCheck
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1);

    /// <param name="findings">Receives the findings.</param>
    /// <param name="ledger">The published events and their effects.</param>
    public static void Run(Findings findings, Ledger ledger)
    {
        var outcomes = ledger.Outcomes;
        var starts = new Dictionary<long, int>();
        foreach (var entry in ledger.Entries.Where(entry => entry.Kind == Kind.Start))
        {
            starts[entry.A] = starts.GetValueOrDefault(entry.A) + 1;
        }

        var numbers = Enumerable.Range(0, outcomes.Length).Select(number => (long)number).ToList();
        var unexpected = new SortedSet<long>(starts.Keys.Concat(ledger.Effects.Keys)
            .Where(number => number < 0 || number >= outcomes.Length || outcomes[number] is Outcome.None or Outcome.Failed));
        findings.Note("acked", Count(Outcome.Accepted));
        findings.Note("refused", Count(Outcome.Failed));
        findings.None("lost", numbers.Where(
            number => outcomes[number] == Outcome.Accepted && !ledger.Effects.ContainsKey(number) && !ledger.Dead.Contains(number)));
        findings.Note("in doubt: recovered, not", $"{InDoubt(true):N0}, {InDoubt(false):N0}");
        findings.None("unexpected", unexpected);
        findings.Note("duplicate deliveries", starts.Values.Sum(count => count - 1));
        if (ledger.OnceEach)
        {
            findings.None("duplicate effects", ledger.Effects.Where(effect => effect.Value > 1).Select(effect => effect.Key));
        }
        else
        {
            findings.Note("duplicate effects", ledger.Effects.Values.Sum(count => count - 1));
        }

        findings.Note("order violations", "not applicable: the subscription is unordered");
        findings.None("dead letters", ledger.Dead);
        findings.None("stuck", ledger.Stuck);
        findings.Demand(
            ledger.LongestCall <= ledger.Deadline + Grace,
            "longest call",
            $"{ledger.LongestCall.TotalSeconds:0.00} s, at most {(ledger.Deadline + Grace).TotalSeconds:0.00} s");

        int Count(Outcome outcome) => outcomes.Count(each => each == outcome);

        int InDoubt(bool recovered) =>
            numbers.Count(number => outcomes[number] == Outcome.InDoubt && ledger.Effects.ContainsKey(number) == recovered);
    }
}
