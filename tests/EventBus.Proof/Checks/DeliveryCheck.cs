namespace EventBus.Proof;

/// <summary>Compares the published events with the handled events and the dead letters.</summary>
internal static class DeliveryCheck
{
    /// <param name="findings">Receives the findings.</param>
    /// <param name="outcomes">The publisher's outcome of each number.</param>
    /// <param name="entries">The entries of the handlers.</param>
    /// <param name="dead">The events that ended as dead letters.</param>
    /// <param name="mayLose">
    /// True if the backend may lose accepted events: such events are counted, and are not a failure.
    /// </param>
    public static void Run(Findings findings, Outcome[] outcomes, IEnumerable<Entry> entries, IReadOnlySet<long> dead, bool mayLose = false)
    {
        var (starts, ends) = (new int[outcomes.Length], new int[outcomes.Length]);
        var strange = new SortedSet<long>();
        foreach (var entry in entries.Where(entry => entry.Kind is Kind.Start or Kind.End))
        {
            if (entry.A < 0 || entry.A >= outcomes.Length)
            {
                strange.Add(entry.A);
                continue;
            }

            (entry.Kind == Kind.Start ? starts : ends)[entry.A]++;
        }

        var all = Enumerable.Range(0, outcomes.Length).Select(number => (long)number).ToList();
        strange.UnionWith(
            all.Where(number => starts[number] > 0 && outcomes[number] is Outcome.None or Outcome.Failed && starts[number] > 0));
        findings.Note("published: accepted", outcomes.Count(outcome => outcome == Outcome.Accepted));
        findings.Note(
            "published: in doubt, failed",
            $"{outcomes.Count(outcome => outcome == Outcome.InDoubt):N0}, {outcomes.Count(outcome => outcome == Outcome.Failed):N0}");
        findings.Note("handled", all.Count(number => ends[number] > 0));
        var lost = all.Where(number => outcomes[number] == Outcome.Accepted && ends[number] == 0 && !dead.Contains(number)).ToList();
        if (mayLose)
        {
            findings.Note("accepted and lost", lost.Count);
        }
        else
        {
            findings.None("lost", lost);
        }

        findings.Note("recovered (in doubt, and handled)", all.Count(number => outcomes[number] == Outcome.InDoubt && ends[number] > 0));
        findings.None("unexpected", strange);
        findings.Note("duplicate deliveries", ends.Sum(count => Math.Max(0, count - 1)));
    }
}
