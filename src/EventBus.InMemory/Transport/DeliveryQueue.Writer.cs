using EventBus.Transports;

namespace EventBus;

/// <content>The publishers' side: enqueues events, or makes publishers wait for room.</content>
internal sealed partial class DeliveryQueue
{
    /// <summary>
    /// Enqueues an event if there is room. Does not block: if the queue is full, it may spin for a few microseconds and
    /// try once more.
    /// </summary>
    /// <param name="envelope">The event. An event published by a handler may use the reserve.</param>
    public EnqueueResult TryEnqueue(Envelope envelope)
    {
        var result = EnqueueNow(envelope);
        if (result == EnqueueResult.Full && !envelope.FromHandler && !consumer.HasBlockedWriters && writerSpin.TrySpin())
        {
            writerSpin.Report(capacity - Count);
            result = EnqueueNow(envelope);
        }

        return result;
    }

    /// <summary>Adds a publisher to those that wait for room. Events are enqueued in the order of the calls.</summary>
    /// <param name="envelope">The event.</param>
    public QueueWaiter Wait(Envelope envelope)
    {
        var waiter = new QueueWaiter(this, envelope);
        bool wake;
        lock (gate)
        {
            AssertInvariants();
            if (closed)
            {
                waiter.Completion.TrySetResult(false);
                return waiter;
            }

            blockedWriters.AddLast(waiter.Node);
            consumer.HasBlockedWriters = true;

            // Either this thread sees what a reader has delivered, or the reader sees that a publisher waits.
            Interlocked.MemoryBarrier();
            wake = UnblockWriters();
        }

        if (wake)
        {
            WakeReader();
        }

        return waiter;
    }

    /// <summary>Removes a waiting publisher; false if its event was already enqueued.</summary>
    public bool Withdraw(QueueWaiter waiter)
    {
        lock (gate)
        {
            AssertInvariants();
            if (waiter.Node.List is null)
            {
                return false;
            }

            blockedWriters.Remove(waiter.Node);
            consumer.HasBlockedWriters = blockedWriters.Count > 0;
            return true;
        }
    }

    private EnqueueResult EnqueueNow(Envelope envelope)
    {
        bool wake;
        lock (gate)
        {
            AssertInvariants();
            if (closed)
            {
                return EnqueueResult.Stopped;
            }

            if (!HasRoom(envelope.FromHandler ? capacity + reserve : capacity) || (blockedWriters.Count > 0 && !envelope.FromHandler))
            {
                return EnqueueResult.Full;
            }

            wake = Append(envelope);
        }

        if (wake)
        {
            WakeReader();
        }

        return EnqueueResult.Done;
    }

    /// <summary>True if there is room. Call it under the lock.</summary>
    private bool HasRoom(int limit)
    {
        if (counts.Accepted - counts.DeliveredSeen + released.Count < limit)
        {
            return true;
        }

        counts.DeliveredSeen = consumer.Delivered;
        return counts.Accepted - counts.DeliveredSeen + released.Count < limit;
    }

    private bool Append(Envelope envelope)
    {
        if (counts.Accepted - counts.Fetched == buffer.Length)
        {
            Grow();
        }

        buffer[counts.Accepted & (buffer.Length - 1)] = envelope;
        Volatile.Write(ref counts.Accepted, counts.Accepted + 1);
        return TryUnblockReader();
    }

    private void AdmitWriters()
    {
        bool wake;
        lock (gate)
        {
            AssertInvariants();
            wake = UnblockWriters();
        }

        if (wake)
        {
            WakeReader();
        }
    }

    private bool UnblockWriters()
    {
        var wake = false;
        while (blockedWriters.First is { } node && HasRoom(capacity))
        {
            blockedWriters.RemoveFirst();
            wake |= Append(node.Value.Envelope);
            node.Value.Completion.TrySetResult(true);
        }

        consumer.HasBlockedWriters = blockedWriters.Count > 0;
        return wake;
    }

    private void Grow()
    {
        var larger = new Envelope[buffer.Length * 2];
        for (var i = counts.Fetched; i < counts.Accepted; i++)
        {
            larger[i & (larger.Length - 1)] = buffer[i & (buffer.Length - 1)];
        }

        buffer = larger;
    }
}
