namespace EventBus;

/// <content>The waits of the poll thread, which blocks its own thread only.</content>
internal sealed partial class UnackedRecords : IDisposable
{
    private readonly AutoResetEvent pollerWake = new(initialState: false);

    // The condition for which the poll thread waits; null while it does not wait.
    private Func<bool>? pollerAwaits;

    /// <summary>True if a received record would be offered at once.</summary>
    public bool HasRoom
    {
        get
        {
            lock (gate)
            {
                return IsRoomFor(1);
            }
        }
    }

    /// <summary>
    /// Blocks until there is room for a part of the capacity, so that the poll thread is not woken for each record.
    /// </summary>
    /// <param name="timeout">The maximum wait.</param>
    /// <param name="share">The part of the capacity that must be free, as a divisor: 2 is a half.</param>
    /// <returns>False if there is no such room.</returns>
    public bool WaitForRoom(TimeSpan timeout, int share)
    {
        Wait(() => IsDone() || IsCommitNeededNow, timeout);
        lock (gate)
        {
            return IsDone();
        }

        bool IsDone() => isIntakeStopped || IsRoomFor(Math.Max(1, Limit / share));
    }

    /// <summary>Blocks until the bus has settled the deliveries that it has taken from partitions.</summary>
    /// <param name="partitions">The partitions.</param>
    /// <param name="timeout">The maximum wait.</param>
    /// <returns>False if some are not settled.</returns>
    public bool WaitUntilSettled(IReadOnlyCollection<KafkaPartition> partitions, TimeSpan timeout) =>
        Wait(() => partitions.All(partition => partition.Taken == 0), timeout);

    /// <summary>Wakes the poll thread out of a wait, whatever it waits for.</summary>
    public void InterruptWait() => pollerWake.Set();

    public void Dispose() => pollerWake.Dispose();

    private bool IsRoomFor(int count) => WaitingCount == 0 && Held + count <= Limit;

    private bool Wait(Func<bool> condition, TimeSpan timeout)
    {
        lock (gate)
        {
            if (condition())
            {
                return true;
            }

            pollerAwaits = condition;
        }

        pollerWake.WaitOne(timeout);
        lock (gate)
        {
            pollerAwaits = null;
            return condition();
        }
    }

    private void WakePoller()
    {
        if (pollerAwaits?.Invoke() == true)
        {
            pollerAwaits = null;
            pollerWake.Set();
        }
    }
}
