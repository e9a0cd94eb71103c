namespace EventBus.Proof;

/// <summary>Checks that each event takes effect once, for any number of copies.</summary>
internal static class EffectCheck
{
    /// <param name="findings">Receives the findings.</param>
    /// <param name="entries">The entries of the processes.</param>
    /// <param name="rows">
    /// The number of effects of each event in the transactions of the store; null if the store has no transactions.
    /// </param>
    /// <param name="events">The number of events.</param>
    /// <param name="mayBeOvertaken">
    /// The maximum number of attempts that may have been suspended between their claim and their first entry for longer
    /// than their lease. Such an attempt still begins; its fencing token identifies it.
    /// </param>
    public static void Run(
        Findings findings,
        IReadOnlyList<Entry> entries,
        IReadOnlyDictionary<long, int>? rows,
        int events,
        int mayBeOvertaken = 0)
    {
        var inTime = entries.Where(entry => entry.Kind is Kind.Start or Kind.Effect or Kind.Commit).OrderBy(entry => entry.At).ToList();
        var register = new FencedRegister();
        var (committed, fences, twice, afterCommit, usedTwice) = (
            new HashSet<long>(),
            new Dictionary<long, long>(),
            new List<long>(),
            new List<long>(),
            new List<long>());
        var (runs, overtaken) = (0L, 0);
        foreach (var entry in inTime)
        {
            switch (entry.Kind)
            {
                case Kind.Start:
                    runs++;
                    if (entry.C < fences.GetValueOrDefault(entry.A))
                    {
                        overtaken++;
                        break;
                    }

                    if (committed.Contains(entry.A))
                    {
                        afterCommit.Add(entry.A);
                    }

                    if (entry.C == fences.GetValueOrDefault(entry.A))
                    {
                        usedTwice.Add(entry.A);
                    }

                    fences[entry.A] = entry.C;
                    break;
                case Kind.Effect:
                    register.Apply(entry.A, entry.C);
                    break;
                default:
                    if (!committed.Add(entry.A))
                    {
                        twice.Add(entry.A);
                    }

                    break;
            }
        }

        findings.Note("attempts", runs);
        findings.None("started again after its commit", afterCommit.Distinct());
        findings.None("committed twice", twice.Distinct());
        findings.None("fencing tokens used twice", usedTwice.Distinct());
        findings.Demand(
            overtaken <= mayBeOvertaken,
            "claims lost before the start",
            $"{overtaken:N0}, at most {mayBeOvertaken:N0} suspended");
        if (rows is null)
        {
            findings.Exactly("effects that the resource accepted", events, register.Taken);
            findings.Note("effects repeated, refused", $"{register.Repeated:N0}, {register.Refused:N0}");
        }
        else
        {
            findings.Exactly("effects", events, rows.Count);
            findings.None("duplicate effects", rows.Where(row => row.Value > 1).Select(row => row.Key));
        }
    }

    /// <summary>
    /// A resource as the documentation requires it: refuses a call with a lower fencing token, and accepts one effect
    /// for each idempotency key.
    /// </summary>
    private sealed class FencedRegister
    {
        private readonly Dictionary<long, long> highest = [];

        public int Taken => highest.Count;

        public int Repeated { get; private set; }

        public int Refused { get; private set; }

        public void Apply(long number, long fence)
        {
            if (!highest.TryGetValue(number, out var last))
            {
                highest.Add(number, fence);
            }
            else if (fence < last)
            {
                Refused++;
            }
            else
            {
                Repeated++;
                highest[number] = fence;
            }
        }
    }
}
