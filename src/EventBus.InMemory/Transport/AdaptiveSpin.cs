namespace EventBus;

/// <summary>Looks away for a moment before somebody waits: the other side is let alone with the memory that both need, and then there is a batch to do and not one event.</summary>
/// <remarks>
/// Waiting costs a thread's sleep and its waking, which two sides that are equally fast would pay for every event. Where looking away did not pay, it is left out the next time, and twice as often after that:
/// a queue that is seldom used, or always full, has next to none of it. Several may share one: what a race loses is only how soon it is tried again.
/// </remarks>
internal struct AdaptiveSpin
{
    // A few microseconds: less than it takes to wake a thread.
    private const int Spins = 200;
    private const int MostLeftOut = 4_096;

    // Fewer events than this are not worth a processor that does nothing else.
    private const int Worthwhile = 8;

    // On one processor nothing happens meanwhile.
    private static readonly bool IsPossible = Environment.ProcessorCount > 1;

    private int leftOut;
    private int toLeaveOut;

    /// <summary>Looks away, unless that is left out this time.</summary>
    /// <returns>Whether it did: then say what it brought.</returns>
    public bool TrySpin()
    {
        if (!IsPossible)
        {
            return false;
        }

        if (leftOut > 0)
        {
            leftOut--;
            return false;
        }

        Thread.SpinWait(Spins);
        return true;
    }

    /// <summary>Says what it brought, so that it is left out where it does not pay.</summary>
    /// <param name="events">How many events can be put or taken now.</param>
    public void Report(long events)
    {
        toLeaveOut = events >= Worthwhile ? 0 : Math.Clamp(toLeaveOut * 2, 1, MostLeftOut);
        leftOut = toLeaveOut;
    }
}
