using System.Diagnostics.CodeAnalysis;
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
/// to return events to its head. Publishers share one short lock, and readers share another. Readers fetch events in
/// batches, so that the two sides seldom touch the same memory. Nothing is awaited under a lock. Only one reader may
/// wait at a time; several may read.
/// </remarks>
internal sealed class DeliveryQueue(int capacity, int reserve) : ChannelReader<Delivery>, IDeliverySettler, IValueTaskSource<bool>, IThreadPoolWorkItem
{
    private readonly Lock gate = new();

    // The publishers that wait for room, in the order of their calls.
    private readonly LinkedList<QueueWaiter> waiters = [];

    // Released events are delivered before all others, in their original order.
    private readonly PriorityQueue<Envelope, long> released = new();

    // Allocated after the others, so that it is not adjacent in memory to the publishers' lock.
    private readonly QueueConsumerState outlet = new();

    // The ring buffer. It grows on demand, at most up to the first power of two that holds capacity and reserve.
    private Envelope[] ring = new Envelope[64];

    private Counts counts;
    private volatile bool closed;
    private bool stopped;

    // The state of the waiting reader: one reusable source instead of a task per wait. Waking the reader allocates
    // nothing either, because the queue itself is the work item.
    private ManualResetValueTaskSourceCore<bool> waiting;
    private bool isWaiting;
    private bool waitsInContext;
    private CancellationTokenRegistration waitCancellation;

    private AdaptiveSpin forRoom;

    public override bool CanCount => true;

    public override int Count
    {
        get
        {
            // Read the smaller number first: an event that is enqueued and delivered between the two reads must not
            // make the count negative.
            var gone = outlet.HandedOut;
            return (int)(Volatile.Read(ref counts.Accepted) - gone) + released.Count;
        }
    }

    /// <summary>True if an event can be read. Call it under the lock.</summary>
    private bool HasDeliveries => !stopped && (counts.Accepted > outlet.HandedOut || (!closed && released.Count > 0));

    public TransportWork Work
    {
        get
        {
            // Read the settled count first: an event that is accepted and settled between the two reads must not count
            // as settled but not accepted.
            var done = outlet.Settled;
            lock (gate)
            {
                return new TransportWork(counts.Accepted, done);
            }
        }
    }

    /// <summary>
    /// Enqueues an event if there is room. Does not block: if the queue is full, it may spin for a few microseconds and
    /// try once more.
    /// </summary>
    /// <param name="envelope">The event. An event published by a handler may use the reserve.</param>
    public EnqueueResult TryEnqueue(Envelope envelope)
    {
        var result = EnqueueNow(envelope);
        if (result == EnqueueResult.Full && !envelope.FromHandler && !outlet.HasWaiters && forRoom.TrySpin())
        {
            forRoom.Report(capacity - Count);
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
            if (closed)
            {
                waiter.Completion.TrySetResult(false);
                return waiter;
            }

            waiters.AddLast(waiter.Node);
            outlet.HasWaiters = true;

            // Either this thread sees what a reader has delivered, or the reader sees that a publisher waits.
            Interlocked.MemoryBarrier();
            wake = AdmitWaiters();
        }

        if (wake)
        {
            Wake();
        }

        return waiter;
    }

    /// <summary>Removes a waiting publisher; false if its event was already enqueued.</summary>
    public bool Withdraw(QueueWaiter waiter)
    {
        lock (gate)
        {
            if (waiter.Node.List is null)
            {
                return false;
            }

            waiters.Remove(waiter.Node);
            outlet.HasWaiters = waiters.Count > 0;
            return true;
        }
    }

    public override bool TryRead([MaybeNullWhen(false)] out Delivery item)
    {
        lock (outlet.Taking)
        {
            if (!TryTake(out item))
            {
                return false;
            }
        }

        // After the lock, whose release is a full fence: a publisher that begins to wait now sees that the event was
        // delivered.
        if (outlet.HasWaiters)
        {
            Admit();
        }

        return true;
    }

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<bool>(cancellationToken);
        }

        if (outlet.ForEvents.TrySpin())
        {
            outlet.ForEvents.Report(Volatile.Read(ref counts.Accepted) - counts.Fetched);
        }

        lock (gate)
        {
            if (closed || HasDeliveries)
            {
                return ValueTask.FromResult(HasDeliveries);
            }

            if (isWaiting)
            {
                throw new InvalidOperationException("Another reader waits for the queue: one reader waits at a time.");
            }

            waiting.Reset();
            waiting.RunContinuationsAsynchronously = false;
            isWaiting = true;
            waitsInContext = SynchronizationContext.Current is not null;
            waitCancellation = cancellationToken.UnsafeRegister(static (state, token) => ((DeliveryQueue)state!).CancelWait(token), this);
            return new ValueTask<bool>(this, waiting.Version);
        }
    }

    public ValueTask AckAsync(in Delivery delivery)
    {
        outlet.Settle();
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        bool wake;
        lock (gate)
        {
            released.Enqueue(delivery.Envelope, delivery.Token);
            outlet.IsDisturbed = true;
            wake = TakeWait();
        }

        if (wake)
        {
            Wake();
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Rejects new events, and completes after the queued events are delivered, because there is no broker to return
    /// them to. Released events stay in the queue.
    /// </summary>
    public void Close() => Close(handOutRest: true);

    /// <summary>Rejects new events, and delivers nothing more. The queued events still count as unsettled.</summary>
    public void Stop() => Close(handOutRest: false);

    private void Close(bool handOutRest)
    {
        bool wake;
        QueueWaiter[] turnedAway;
        lock (gate)
        {
            closed = true;
            stopped |= !handOutRest;
            outlet.IsDisturbed |= stopped;
            wake = TakeWait();
            turnedAway = [.. waiters];
            waiters.Clear();
            outlet.HasWaiters = false;
        }

        foreach (var waiter in turnedAway)
        {
            waiter.Completion.TrySetResult(false);
        }

        if (wake)
        {
            Wake();
        }
    }

    void IThreadPoolWorkItem.Execute() => Complete();

    bool IValueTaskSource<bool>.GetResult(short token)
    {
        waitCancellation.Dispose();
        return waiting.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => waiting.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        waiting.OnCompleted(continuation, state, token, flags);

    private void CancelWait(CancellationToken token)
    {
        bool wake;
        lock (gate)
        {
            wake = TakeWait();
        }

        if (wake)
        {
            waiting.RunContinuationsAsynchronously = true;
            waiting.SetException(new OperationCanceledException(token));
        }
    }

    /// <summary>
    /// Completes the reader's wait on the thread pool, so that no publisher runs a handler. If the reader waits in a
    /// synchronization context, that context is used.
    /// </summary>
    [SuppressMessage("ApiDesign", "RS0030", Justification = "The framework's channels wake their readers this way too; a reader in a context of its own is posted to, not queued.")]
    private void Wake()
    {
        if (waitsInContext)
        {
            Complete();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
        }
    }

    private void Complete()
    {
        var goesOn = true;
        if (closed)
        {
            lock (gate)
            {
                goesOn = HasDeliveries;
            }
        }

        waiting.SetResult(goesOn);
    }

    private EnqueueResult EnqueueNow(Envelope envelope)
    {
        bool wake;
        lock (gate)
        {
            if (closed)
            {
                return EnqueueResult.Stopped;
            }

            if (!HasRoom(envelope.FromHandler ? capacity + reserve : capacity) || (waiters.Count > 0 && !envelope.FromHandler))
            {
                return EnqueueResult.Full;
            }

            wake = Append(envelope);
        }

        if (wake)
        {
            Wake();
        }

        return EnqueueResult.Done;
    }

    /// <summary>
    /// Ends the reader's wait. Call it under the lock. If it returns true, the caller completes the wait outside the
    /// lock.
    /// </summary>
    private bool TakeWait()
    {
        var was = isWaiting;
        isWaiting = false;
        return was;
    }

    /// <summary>True if there is room. Call it under the lock.</summary>
    private bool HasRoom(int limit)
    {
        if (counts.Accepted - counts.HandedOutSeen + released.Count < limit)
        {
            return true;
        }

        counts.HandedOutSeen = outlet.HandedOut;
        return counts.Accepted - counts.HandedOutSeen + released.Count < limit;
    }

    /// <summary>Takes the next delivery. Call it under the readers' lock.</summary>
    private bool TryTake(out Delivery item)
    {
        item = default;
        if (outlet.IsDisturbed)
        {
            lock (gate)
            {
                if (stopped)
                {
                    return false;
                }

                if (!closed && released.TryDequeue(out var again, out var place))
                {
                    outlet.IsDisturbed = released.Count > 0;
                    item = new Delivery(again, this, place, earlierDeliveries: 1);
                    return true;
                }
            }
        }

        if (outlet.IsEmpty && !TryFetch())
        {
            return false;
        }

        var (envelope, token) = outlet.Take();
        item = new Delivery(envelope, this, token);
        return true;
    }

    private bool TryFetch()
    {
        // Checked without the lock, which publishers need more often: an event that is missed here is found before the
        // reader waits.
        if (Volatile.Read(ref counts.Accepted) == counts.Fetched)
        {
            return false;
        }

        lock (gate)
        {
            var count = outlet.Fetch(ring, counts.Fetched, counts.Accepted);
            counts.Fetched += count;
            return count > 0;
        }
    }

    private bool Append(Envelope envelope)
    {
        if (counts.Accepted - counts.Fetched == ring.Length)
        {
            Grow();
        }

        ring[counts.Accepted & (ring.Length - 1)] = envelope;
        Volatile.Write(ref counts.Accepted, counts.Accepted + 1);
        return TakeWait();
    }

    private void Admit()
    {
        bool wake;
        lock (gate)
        {
            wake = AdmitWaiters();
        }

        if (wake)
        {
            Wake();
        }
    }

    private bool AdmitWaiters()
    {
        var wake = false;
        while (waiters.First is { } node && HasRoom(capacity))
        {
            waiters.RemoveFirst();
            wake |= Append(node.Value.Envelope);
            node.Value.Completion.TrySetResult(true);
        }

        outlet.HasWaiters = waiters.Count > 0;
        return wake;
    }

    private void Grow()
    {
        var larger = new Envelope[ring.Length * 2];
        for (var i = counts.Fetched; i < counts.Accepted; i++)
        {
            larger[i & (larger.Length - 1)] = ring[i & (ring.Length - 1)];
        }

        ring = larger;
    }

    /// <summary>
    /// The counters that change with every event. They have their own cache lines: readers use the neighbouring fields
    /// but not these.
    /// </summary>
    [StructLayout(LayoutKind.Explicit, Size = 2 * QueueConsumerState.Apart + 64)]
    private struct Counts
    {
        /// <summary>The number of events that were put into the ring.</summary>
        [FieldOffset(QueueConsumerState.Apart)]
        public long Accepted;

        /// <summary>The number of those that the readers have fetched.</summary>
        [FieldOffset(QueueConsumerState.Apart + 8)]
        public long Fetched;

        /// <summary>
        /// The number of delivered events at the last check. It is read again only when the queue seems full.
        /// </summary>
        [FieldOffset(QueueConsumerState.Apart + 16)]
        public long HandedOutSeen;
    }
}
