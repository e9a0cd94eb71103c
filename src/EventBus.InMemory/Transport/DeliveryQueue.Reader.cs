using System.Diagnostics.CodeAnalysis;
using System.Threading.Tasks.Sources;
using EventBus.Transports;

namespace EventBus;

/// <content>The readers' side: delivers events, settles deliveries, and wakes the waiting reader.</content>
internal sealed partial class DeliveryQueue
{
    // The wait of the reader: one reusable source instead of a task for each wait. Waking the reader allocates nothing
    // either, because the queue itself is the work item of the thread pool.
    private ManualResetValueTaskSourceCore<bool> blockedReader;
    private bool isReaderBlocked;

    // True if the waiting reader has a synchronization context, in which its wait is completed.
    private bool readerHasContext;
    private CancellationTokenRegistration readerCancellation;

    public override bool CanCount => true;

    public override int Count
    {
        get
        {
            // The smaller number is read first: an event that is enqueued and delivered between the two reads must not
            // make the difference negative.
            var delivered = consumer.Delivered;
            return (int)(Volatile.Read(ref counts.Accepted) - delivered) + released.Count;
        }
    }

    /// <summary>The numbers of events that the queue has accepted and that were acknowledged.</summary>
    public (long Accepted, long Settled) Work
    {
        get
        {
            // The settled count is read first: an event that is accepted and settled between the two reads must not
            // count as settled but not accepted.
            var settled = consumer.Settled;
            lock (gate)
            {
                AssertInvariants();
                return (counts.Accepted, settled);
            }
        }
    }

    /// <summary>True if an event can be read. Call it under the publishers' lock.</summary>
    private bool HasDeliveries => !stopped && (counts.Accepted > consumer.Delivered || (!closed && released.Count > 0));

    public override bool TryRead([MaybeNullWhen(false)] out Delivery item)
    {
        lock (consumer.ReadGate)
        {
            if (!TryTake(out item))
            {
                return false;
            }
        }

        // Checked after the lock was released, which is a full memory fence: a publisher that begins to wait after this
        // check sees that the event was delivered.
        if (consumer.HasBlockedWriters)
        {
            AdmitWriters();
        }

        return true;
    }

    public override ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
        {
            return ValueTask.FromCanceled<bool>(cancellationToken);
        }

        if (consumer.ReaderSpin.TrySpin())
        {
            consumer.ReaderSpin.Report(Volatile.Read(ref counts.Accepted) - counts.Fetched);
        }

        lock (gate)
        {
            AssertInvariants();
            if (closed || HasDeliveries)
            {
                return ValueTask.FromResult(HasDeliveries);
            }

            if (isReaderBlocked)
            {
                throw new InvalidOperationException("Another reader waits for the queue: one reader waits at a time.");
            }

            blockedReader.Reset();
            blockedReader.RunContinuationsAsynchronously = false;
            isReaderBlocked = true;
            readerHasContext = SynchronizationContext.Current is not null;
            readerCancellation = cancellationToken.UnsafeRegister(static (state, token) => ((DeliveryQueue)state!).CancelWait(token), this);
            return new ValueTask<bool>(this, blockedReader.Version);
        }
    }

    public ValueTask AckAsync(in Delivery delivery)
    {
        Interlocked.Increment(ref consumer.Counts.Settled);
        return ValueTask.CompletedTask;
    }

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        bool wake;
        lock (gate)
        {
            AssertInvariants();
            released.Enqueue(delivery.Envelope, delivery.Token);
            consumer.MustCheckReleased = true;
            wake = TryUnblockReader();
        }

        if (wake)
        {
            WakeReader();
        }

        return ValueTask.CompletedTask;
    }

    void IThreadPoolWorkItem.Execute() => CompleteWait();

    bool IValueTaskSource<bool>.GetResult(short token)
    {
        readerCancellation.Dispose();
        return blockedReader.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => blockedReader.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(
        Action<object?> continuation,
        object? state,
        short token,
        ValueTaskSourceOnCompletedFlags flags) =>
        blockedReader.OnCompleted(continuation, state, token, flags);

    private void CancelWait(CancellationToken token)
    {
        bool wake;
        lock (gate)
        {
            AssertInvariants();
            wake = TryUnblockReader();
        }

        if (wake)
        {
            blockedReader.RunContinuationsAsynchronously = true;
            blockedReader.SetException(new OperationCanceledException(token));
        }
    }

    /// <summary>
    /// Completes the reader's wait on the thread pool, so that no publisher runs a handler. If the reader waits in a
    /// synchronization context, that context is used.
    /// </summary>
    [SuppressMessage(
        "ApiDesign",
        "RS0030",
        Justification = "The framework's channels wake their readers this way too; a reader in a context of its own is posted to, not "
            + "queued.")]
    private void WakeReader()
    {
        if (readerHasContext)
        {
            CompleteWait();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
        }
    }

    private void CompleteWait()
    {
        // An open queue wakes the reader only for an event. The result may be wrong if another reader was faster, so
        // the reader waits again. A closed queue must return whether there is an event, because false ends the reading.
        var hasDeliveries = true;
        if (closed)
        {
            lock (gate)
            {
                AssertInvariants();
                hasDeliveries = HasDeliveries;
            }
        }

        blockedReader.SetResult(hasDeliveries);
    }

    /// <summary>
    /// Ends the reader's wait. Call it under the publishers' lock. If it returns true, the caller completes the wait
    /// outside the lock.
    /// </summary>
    private bool TryUnblockReader()
    {
        var wasBlocked = isReaderBlocked;
        isReaderBlocked = false;
        return wasBlocked;
    }

    /// <summary>Takes the next delivery. Call it under the readers' lock.</summary>
    private bool TryTake(out Delivery item)
    {
        item = default;
        if (consumer.MustCheckReleased)
        {
            lock (gate)
            {
                AssertInvariants();
                if (stopped)
                {
                    return false;
                }

                if (!closed && released.TryDequeue(out var redelivered, out var token))
                {
                    // How often the event was released is not counted: one earlier delivery shows that it was.
                    consumer.MustCheckReleased = released.Count > 0;
                    item = new Delivery(redelivered, this, token, earlierDeliveries: 1);
                    return true;
                }
            }
        }

        ref var counters = ref consumer.Counts;
        if (counters.NextInBatch == counters.BatchCount && !TryFetch())
        {
            return false;
        }

        var envelope = consumer.Batch[counters.NextInBatch]!;
        consumer.Batch[counters.NextInBatch] = null;
        counters.NextInBatch++;
        Volatile.Write(ref counters.Delivered, counters.Delivered + 1);
        item = new Delivery(envelope, this, counters.NextToken);
        counters.NextToken++;
        return true;
    }

    /// <summary>
    /// Moves a batch from the head of the ring to the readers. Call it under the readers' lock and only when all
    /// fetched events are delivered.
    /// </summary>
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
            AssertInvariants();
            var count = (int)Math.Min(counts.Accepted - counts.Fetched, consumer.Batch.Length);
            for (var i = 0; i < count; i++)
            {
                ref var source = ref buffer[(counts.Fetched + i) & (buffer.Length - 1)];
                consumer.Batch[i] = source;
                source = null!;
            }

            counts.Fetched += count;
            consumer.Counts.NextInBatch = 0;
            consumer.Counts.BatchCount = count;
            return count > 0;
        }
    }
}
