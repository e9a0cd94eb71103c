namespace EventBus.Proof;

/// <summary>A planned fault.</summary>
/// <param name="After">After how many started handlers it strikes.</param>
/// <param name="Kind">What it does.</param>
/// <param name="Choice">Which process, modulo the number of processes.</param>
internal sealed record Fault(long After, FaultKind Kind, int Choice)
{
    /// <summary>Plans faults at points of a run's middle, all from one seed.</summary>
    /// <param name="random">Seeded.</param>
    /// <param name="expected">How many handlers the run starts at least.</param>
    /// <param name="kills">How many kills.</param>
    /// <param name="freezes">How many frozen processes.</param>
    /// <param name="stalls">How many times the store does not answer.</param>
    public static Queue<Fault> Plan(Random random, long expected, int kills, int freezes = 0, int stalls = 0)
    {
        FaultKind[] kinds = [
            .. Enumerable.Repeat(FaultKind.Kill, kills),
            .. Enumerable.Repeat(FaultKind.Freeze, freezes),
            .. Enumerable.Repeat(FaultKind.Stall, stalls)
        ];
        random.Shuffle(kinds);

        // One in each part of the run, so that none hides behind another.
        return new(kinds.Select((kind, i) => new Fault(
            (long)(expected * (0.05 + (0.8 * (i + random.NextDouble()) / kinds.Length))),
            kind,
            random.Next(1 << 20))));
    }
}
