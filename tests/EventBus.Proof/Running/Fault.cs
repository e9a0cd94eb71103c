namespace EventBus.Proof;

/// <summary>A planned fault.</summary>
/// <param name="After">The number of started handlers after which the fault occurs.</param>
/// <param name="Kind">The kind of the fault.</param>
/// <param name="Choice">Selects the process, modulo the number of processes.</param>
internal sealed record Fault(long After, FaultKind Kind, int Choice)
{
    /// <summary>Plans faults in the middle of a run, with random numbers of one seed.</summary>
    /// <param name="random">The seeded source of random numbers.</param>
    /// <param name="expected">The minimum number of handlers that the run starts.</param>
    /// <param name="kills">The number of kills.</param>
    /// <param name="freezes">The number of frozen processes.</param>
    /// <param name="stalls">The number of times that the store does not answer.</param>
    public static Queue<Fault> Plan(Random random, long expected, int kills, int freezes = 0, int stalls = 0)
    {
        FaultKind[] kinds = [
            .. Enumerable.Repeat(FaultKind.Kill, kills),
            .. Enumerable.Repeat(FaultKind.Freeze, freezes),
            .. Enumerable.Repeat(FaultKind.Stall, stalls)
        ];
        random.Shuffle(kinds);

        // One fault in each part of the run, so that no fault hides another.
        return new(kinds.Select((kind, i) => new Fault(
            (long)(expected * (0.05 + (0.8 * (i + random.NextDouble()) / kinds.Length))),
            kind,
            random.Next(1 << 20))));
    }
}
