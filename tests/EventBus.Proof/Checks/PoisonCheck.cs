namespace EventBus.Proof;

/// <summary>
/// Checks that a poison event is attempted four times and becomes one dead letter with an alert, and that no other
/// event is affected.
/// </summary>
internal static class PoisonCheck
{
    private const int Attempts = 4;

    /// <param name="findings">Receives the findings.</param>
    /// <param name="kinds">The behavior of each event, by number.</param>
    /// <param name="entries">The entries of the handlers.</param>
    /// <param name="dead">The dead letters that were found.</param>
    /// <param name="publishedAt">The time at which each event was published, by number.</param>
    /// <param name="deaths">
    /// The times at which processes were killed. A process that is killed with a delivered event that it has not
    /// started costs the event one of its attempts, because the backend cannot distinguish the two cases.
    /// </param>
    /// <param name="mayRepeat">
    /// True if the store is a queue, in which a process that is killed between the record and the acknowledgement
    /// leaves a second dead letter (docs/rabbitmq.md).
    /// </param>
    public static void Run(
        Findings findings,
        IReadOnlyList<JobKind> kinds,
        IReadOnlyList<Entry> entries,
        IReadOnlyList<Dead> dead,
        IReadOnlyList<long> publishedAt,
        IReadOnlyList<long> deaths,
        bool mayRepeat = false)
    {
        var starts = new int[kinds.Count];
        var alertedAt = entries.Where(entry => entry.Kind == Kind.Alert)
            .GroupBy(entry => entry.A)
            .ToDictionary(group => group.Key, group => group.Min(entry => entry.At));
        foreach (var entry in entries.Where(entry => entry.Kind == Kind.Start && entry.A < kinds.Count))
        {
            starts[entry.A]++;
        }

        var letters = dead.GroupBy(letter => letter.Number).ToDictionary(group => group.Key, group => group.ToList());
        foreach (var kind in new[] { JobKind.Poison, JobKind.Deadly })
        {
            var own = Numbers(kind);
            var name = kind == JobKind.Poison ? "poison" : "deadly";
            findings.Note($"{name}: attempts", string.Join("  ", own.GroupBy(number => starts[number])
                .OrderByDescending(group => group.Key)
                .Select(group => $"{group.Key}: {group.Count():N0}")));
            findings.None($"{name}: too many attempts", own.Where(number => starts[number] > Attempts));
            findings.None(
                $"{name}: too few attempts",
                own.Where(number => starts[number] < Attempts - Math.Min(Deaths(number), Attempts - 1)));
            findings.Note($"{name}: one attempt less (kill)", own.Count(number => starts[number] == Attempts - 1));
            findings.Note($"{name}: two attempts less (kills)", own.Count(number => starts[number] == Attempts - 2));
            findings.None($"{name}: no dead letter", own.Where(number => !letters.ContainsKey(number)));
            findings.Note($"{name}: reasons", string.Join("  ", own.Where(letters.ContainsKey)
                .GroupBy(number => letters[number][0].Reason)
                .Select(group => $"{group.Key}: {group.Count():N0}")));
        }

        findings.None("deadly: another reason", Numbers(JobKind.Deadly).Where(
            number => letters.TryGetValue(number, out var own) && own[0].Reason != DeadLetterReason.ProcessEnded));
        findings.Note("dead letters", dead.Count);
        var repeated = letters.Where(pair => pair.Value.Count > 1).Select(pair => pair.Key).ToList();
        if (mayRepeat && repeated.Count <= deaths.Count)
        {
            findings.Note("two dead letters (kill)", repeated.Count);
        }
        else
        {
            findings.None("events with two dead letters", repeated);
        }

        findings.None(
            "dead letters of harmless events",
            letters.Keys.Where(number => number >= kinds.Count || kinds[(int)number] is JobKind.Good or JobKind.Flaky));
        Alerts(findings, entries, letters.Keys);

        int Deaths(long number) =>
            deaths.Count(at => at >= publishedAt[(int)number] && at <= alertedAt.GetValueOrDefault(number, long.MaxValue));

        List<long> Numbers(JobKind kind) =>
            [.. Enumerable.Range(0, kinds.Count).Where(number => kinds[number] == kind).Select(number => (long)number)];
    }

    private static void Alerts(Findings findings, IReadOnlyList<Entry> entries, IReadOnlyCollection<long> dead)
    {
        var alerts = entries.Where(entry => entry.Kind == Kind.Alert).Select(entry => entry.A).ToList();
        var distinct = alerts.ToHashSet();
        findings.Note("alerts (distinct, repeated)", $"{distinct.Count:N0}, {alerts.Count - distinct.Count:N0}");
        findings.None("dead letters without an alert", dead.Where(number => !distinct.Contains(number)));
        findings.None("alerts without a dead letter", distinct.Where(number => !dead.Contains(number)));
    }
}
