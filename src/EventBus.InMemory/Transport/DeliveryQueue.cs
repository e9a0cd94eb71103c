using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using System.Threading.Tasks.Sources;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Queues the events of one subscription. The queue is bounded, has a reserve for publishes of handlers, and delivers
/// released events first.
/// </summary>
/// <remarks>
/// It implements <see cref="ChannelReader{T}"/> because the framework's bounded channel has neither a reserve nor a way
/// to return events to its head. Publishers share one short lock (the publishers' lock, <c>gate</c>), and readers share
/// another (the readers' lock). Readers fetch events in batches, so that the two sides seldom touch the same memory.
/// Nothing is awaited under a lock. Only one reader may wait at a time; several may read. The readers' side is in a
/// file of its own.
/// </remarks>
/// <param name="capacity">The number of events in the queue up to which any publisher can enqueue another one.</param>
/// <param name="reserve">The number of further events that handlers can enqueue.</param>
internal sealed partial class DeliveryQueue(int capacity, int reserve)
    : ChannelReader<Delivery>, IDeliverySettler, IValueTaskSource<bool>, IThreadPoolWorkItem
{
    private readonly Lock gate = new();

    // The publishers that wait for room, in the order of their calls.
    private readonly LinkedList<QueueWaiter> blockedWriters = [];

    // Released events are delivered before all others, in their original order.
    private readonly PriorityQueue<Envelope, long> released = new();

    // Created after the other fields, so that it is not next to the publishers' lock in memory.
    private readonly QueueConsumerState consumer = new();

    // The ring buffer. It grows on demand, at most up to the first power of two that holds capacity and reserve.
    private Envelope[] buffer = new Envelope[64];

    private Counts counts;

    // A closed queue rejects new events. A stopped one also delivers nothing more.
    private volatile bool closed;
    private bool stopped;
    private AdaptiveSpin writerSpin;

    /// <summary>
    /// Enqueues an event if there is room. Does not wait for room: if the queue is full, it may spin for a few
    /// microseconds and try once more.
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
    /// <param name="envelope">The publisher's event.</param>
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

    /// <summary>
    /// Removes a waiting publisher; false if it no longer waits, because its event was enqueued or the queue was
    /// closed.
    /// </summary>
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

    /// <summary>
    /// Rejects new events, and completes after the queued events are delivered, because there is no broker to return
    /// them to. Released events stay in the queue.
    /// </summary>
    public void Close() => Close(deliverRest: true);

    /// <summary>Rejects new events, and delivers nothing more. The queued events still count as unsettled.</summary>
    public void Stop() => Close(deliverRest: false);

    /// <summary>Rejects new events.</summary>
    /// <param name="deliverRest">True to deliver the queued events before the queue completes.</param>
    private void Close(bool deliverRest)
    {
        bool wake;
        QueueWaiter[] waiters;
        lock (gate)
        {
            AssertInvariants();
            closed = true;
            stopped |= !deliverRest;
            consumer.MustCheckReleased |= stopped;
            wake = TryUnblockReader();
            waiters = [.. blockedWriters];
            blockedWriters.Clear();
            consumer.HasBlockedWriters = false;
        }

        foreach (var waiter in waiters)
        {
            waiter.Completion.TrySetResult(false);
        }

        if (wake)
        {
            WakeReader();
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

            // A publisher outside of handlers does not overtake the publishers that wait.
            var limit = envelope.FromHandler ? capacity + reserve : capacity;
            if (!HasRoom(limit) || (blockedWriters.Count > 0 && !envelope.FromHandler))
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

    /// <summary>True if there is room. Call it under the publishers' lock.</summary>
    private bool HasRoom(int limit)
    {
        if (counts.Accepted - counts.DeliveredSeen + released.Count < limit)
        {
            return true;
        }

        counts.DeliveredSeen = consumer.Delivered;
        return counts.Accepted - counts.DeliveredSeen + released.Count < limit;
    }

    /// <summary>
    /// Puts an event into the ring buffer. Call it under the publishers' lock. If it returns true, the caller wakes the
    /// reader outside the lock.
    /// </summary>
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

    /// <summary>Enqueues the events of waiting publishers, because there may be room now.</summary>
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

    /// <summary>
    /// Enqueues the events of waiting publishers as long as there is room. Call it under the publishers' lock. If it
    /// returns true, the caller wakes the reader outside the lock.
    /// </summary>
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

    /// <summary>Checks what holds whenever the publishers' lock is free. Call it right after taking the lock.</summary>
    [Conditional("DEBUG")]
    private void AssertInvariants()
    {
        Debug.Assert(gate.IsHeldByCurrentThread);
        Debug.Assert(consumer.Delivered <= counts.Fetched && counts.Fetched <= counts.Accepted);
        Debug.Assert(counts.Accepted - counts.Fetched <= buffer.Length);
        Debug.Assert(counts.DeliveredSeen <= consumer.Delivered);
        Debug.Assert(consumer.HasBlockedWriters == blockedWriters.Count > 0);
        Debug.Assert(!isReaderBlocked || (!closed && !HasDeliveries), "A reader waits although there is an event for it.");
        Debug.Assert(!stopped || closed);
    }

    /// <summary>
    /// The counters that publishers change with every event. They have their own cache lines, because readers use the
    /// neighbouring fields.
    /// </summary>
    [StructLayout(LayoutKind.Explicit, Size = 2 * QueueConsumerState.CacheLineDistance + 64)]
    private struct Counts
    {
        /// <summary>The number of events that were put into the ring buffer.</summary>
        [FieldOffset(QueueConsumerState.CacheLineDistance)]
        public long Accepted;

        /// <summary>The number of accepted events that the readers have fetched.</summary>
        [FieldOffset(QueueConsumerState.CacheLineDistance + 8)]
        public long Fetched;

        /// <summary>
        /// The number of delivered events when it was last read. It is read again only when the queue seems full.
        /// </summary>
        [FieldOffset(QueueConsumerState.CacheLineDistance + 16)]
        public long DeliveredSeen;
    }
}
