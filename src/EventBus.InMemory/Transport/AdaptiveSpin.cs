namespace EventBus;

/// <summary>
/// Spins for a few microseconds before a wait. Meanwhile the other side uses the shared memory without contention, and
/// a batch becomes ready instead of a single event.
/// </summary>
/// <remarks>
/// A wait costs putting a thread to sleep and waking it. A producer and a consumer of equal speed would pay this for
/// every event. When a spin did not pay, it is skipped the next time, and the number of skips doubles with each further
/// failure. A queue that is rarely used or always full therefore spins almost never. Several threads may share an
/// instance: a race only changes when the next spin takes place.
/// </remarks>
internal struct AdaptiveSpin
{
    // A few microseconds: less than waking a thread takes.
    private const int Spins = 200;
    private const int MaxSkips = 4_096;

    // A spin that makes at least this number of events available counts as successful.
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
