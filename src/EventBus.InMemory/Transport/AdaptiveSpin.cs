namespace EventBus;

/// <summary>
/// Spins for a few microseconds before a wait. Meanwhile the other side of a queue uses the shared memory without
/// contention, and a batch of events becomes ready instead of a single one.
/// </summary>
/// <remarks>
/// A wait costs putting a thread to sleep and waking it. Without a spin, a producer and a consumer of equal speed would
/// wait at every event. After a spin that made too few events available, the next one is skipped, and the number of
/// skips doubles with each further such spin. A queue that is rarely used or always full therefore spins almost never.
/// Several threads may share an instance: a race only changes when the next spin takes place.
/// </remarks>
internal struct AdaptiveSpin
{
    // A few microseconds: less than waking a thread takes.
    private const int Spins = 200;
    private const int MaxSkips = 4_096;

    // A spin is successful if at least this number of events is available after it.
    private const int MinEvents = 8;

    // On a single processor the other side makes no progress during a spin.
    private static readonly bool IsPossible = Environment.ProcessorCount > 1;

    private int remainingSkips;
    private int skips;

    /// <summary>Spins, unless this spin is to be skipped.</summary>
    /// <returns>True if it spun: then call <see cref="Report"/>.</returns>
    public bool TrySpin()
    {
        if (!IsPossible)
        {
            return false;
        }

        if (remainingSkips > 0)
        {
            remainingSkips--;
            return false;
        }

        Thread.SpinWait(Spins);
        return true;
    }

    /// <summary>Reports the result of a spin, which decides how many of the next spins are skipped.</summary>
    /// <param name="events">The number of events that can be enqueued or dequeued now.</param>
    public void Report(long events)
    {
        skips = events >= MinEvents ? 0 : Math.Clamp(skips * 2, 1, MaxSkips);
        remainingSkips = skips;
    }
}
