namespace EventBus.Proof;

/// <summary>Each event takes effect once, however many copies of it came.</summary>
internal static class EffectCheck
{
    /// <param name="findings">Where the findings go.</param>
    /// <param name="entries">What the processes wrote down.</param>
    /// <param name="rows">
    /// How often each event took effect in the store's own transactions; null where the store has none.
    /// </param>
    /// <param name="events">How many events there were.</param>
    /// <param name="mayBeOvertaken">
    /// How many runs may have stood still between their claim and their first line, for longer than their lease.
    /// Nothing can keep such a run from beginning; its number tells.
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

        findings.Note("handler runs", runs);
        findings.None("started again after its commit", afterCommit.Distinct());
        findings.None("committed twice", twice.Distinct());
        findings.None("fencing numbers used twice", usedTwice.Distinct());
        findings.Demand(
            overtaken <= mayBeOvertaken,
            "overtaken before they began",
            $"{overtaken:N0}, and at most {mayBeOvertaken:N0} stood still");
        if (rows is null)
        {
            findings.Exactly("effects that the resource took", events, register.Taken);
            findings.Note("effects repeated, overtaken", $"{register.Repeated:N0}, {register.Refused:N0}");
        }
        else
        {
            findings.Exactly("effects", events, rows.Count);
            findings.None("duplicate effects", rows.Where(row => row.Value > 1).Select(row => row.Key));
        }
    }

    /// <summary>
    /// A resource as the documentation requires: refuses a writer with a lower fencing token, and accepts an effect
    /// once for each idempotency key.
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
