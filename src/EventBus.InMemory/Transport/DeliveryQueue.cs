using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using System.Threading.Tasks.Sources;
using EventBus.Transports;

namespace EventBus;

/// <summary>The queue of one subscription: bounded, with a reserve for handlers' own publishes, and a way back to the head for what is released.</summary>
/// <remarks>
/// A channel of its own, because a bounded channel of the framework has neither a reserve nor a way back. Publishers share one short lock, and readers another: these
/// take what is there by the batch, so that the two sides seldom touch the same memory. Nothing is awaited under a lock. One reader waits at a time; several may take.
/// </remarks>
internal sealed class DeliveryQueue(int capacity, int reserve) : ChannelReader<Delivery>, IDeliverySettler, IValueTaskSource<bool>, IThreadPoolWorkItem
{
    private readonly Lock gate = new();

    // Publishers that wait for room, in the order of their calls.
    private readonly LinkedList<QueueWaiter> waiters = [];

    // What was released comes out before everything else, in its old order.
    private readonly PriorityQueue<Envelope, long> released = new();

    // Made after the others, so that in memory it does not lie beside the lock of the publishers.
    private readonly QueueConsumerState outlet = new();

    // The ring: grows to what is needed, never beyond capacity and reserve.
    private Envelope[] ring = new Envelope[64];

    private Counts counts;
    private volatile bool closed;
    private bool stopped;

    // The reader's wait: one reusable source instead of a task for each wake-up. Waking it costs no object either: the queue itself is the work item.
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
            // First what is smaller: an event that comes and goes in between must not make it negative.
            var gone = outlet.HandedOut;
            return (int)(Volatile.Read(ref counts.Accepted) - gone) + released.Count;
        }
    }

    /// <summary>Under the lock: something can be read.</summary>
    private bool HasDeliveries => !stopped && (counts.Accepted > outlet.HandedOut || (!closed && released.Count > 0));

    public TransportWork Work
    {
        get
        {
            // Settled first: an event that is accepted and settled in between must not look settled before it was accepted.
            var done = outlet.Settled;
            lock (gate)
            {
                return new TransportWork(counts.Accepted, done);
            }
        }
    }

    /// <summary>Enqueues if there is room. Never waits for long: when there is none, it may look away for a few microseconds and try again.</summary>
    /// <param name="envelope">The event. One published by a handler may use the reserve.</param>
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

    /// <summary>Joins the publishers that wait for room. The order of the calls is the order of the events.</summary>
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

            // Either this sees what a reader has handed out, or the reader sees that somebody waits.
            Interlocked.MemoryBarrier();
            wake = AdmitWaiters();
        }

        if (wake)
        {
            Wake();
        }

        return waiter;
    }

    /// <summary>Leaves the waiters; false when the event was enqueued after all.</summary>
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

        // After the lock, whose end is a full fence: a publisher that begins to wait now sees what was handed out.
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
                throw new InvalidOperationException("The queue is waited for already: one reader waits at a time.");
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

    /// <summary>Refuses what is published from now on, and completes when what is inside is handed out: there is nobody behind this queue to give it back to. What is released from now on stays.</summary>
    public void Close() => Close(handOutRest: true);

    /// <summary>Refuses what is published from now on, and hands out nothing more. What is inside stays counted as unsettled.</summary>
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

    /// <summary>Completes the reader's wait on the pool, so that no publisher ever runs a handler; a synchronization context that the reader waits in is kept to.</summary>
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

    /// <summary>Under the lock: whoever gets true completes the reader's wait, outside the lock.</summary>
    private bool TakeWait()
    {
        var was = isWaiting;
        isWaiting = false;
        return was;
    }

    /// <summary>Under the lock.</summary>
    private bool HasRoom(int limit)
    {
        if (counts.Accepted - counts.HandedOutSeen + released.Count < limit)
        {
            return true;
        }

        counts.HandedOutSeen = outlet.HandedOut;
        return counts.Accepted - counts.HandedOutSeen + released.Count < limit;
    }

    /// <summary>Under the readers' lock.</summary>
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
        // Without the lock, which publishers need more: what is missed here is found before the reader waits.
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

    /// <summary>What is written for every event, in cache lines of its own: whoever reads needs its neighbours, and not this.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 2 * QueueConsumerState.Apart + 64)]
    private struct Counts
    {
        /// <summary>How many events were put into the ring.</summary>
        [FieldOffset(QueueConsumerState.Apart)]
        public long Accepted;

        /// <summary>How many of them the readers have fetched.</summary>
        [FieldOffset(QueueConsumerState.Apart + 8)]
        public long Fetched;

        /// <summary>How many they had handed out by the last look. As long as there is room by that, nobody looks again.</summary>
        [FieldOffset(QueueConsumerState.Apart + 16)]
        public long HandedOutSeen;
    }
}
