using System.Diagnostics.CodeAnalysis;
using System.Threading.Tasks.Sources;
using EventBus.Transports;

namespace EventBus;

/// <content>The readers' side: delivers events, settles deliveries, and wakes the waiting reader.</content>
internal sealed partial class DeliveryQueue
{
    // The state of the waiting reader: one reusable source instead of a task per wait. Waking the reader allocates
    // nothing either, because the queue itself is the work item.
    private ManualResetValueTaskSourceCore<bool> blockedReader;
    private bool isReaderBlocked;
    private bool readerHasContext;
    private CancellationTokenRegistration readerCancellation;

    /// <summary>True if an event can be read. Call it under the lock.</summary>
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

        // Checked after the lock is released, which is a full memory fence: a publisher that begins to wait now sees
        // that the event was delivered.
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

    void IThreadPoolWorkItem.Execute() => Complete();

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
            Complete();
        }
        else
        {
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: true);
        }
    }

    private void Complete()
    {
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
    /// Ends the reader's wait. Call it under the lock. If it returns true, the caller completes the wait outside the
    /// lock.
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

                if (!closed && released.TryDequeue(out var again, out var position))
                {
                    consumer.MustCheckReleased = released.Count > 0;
                    item = new Delivery(again, this, position, earlierDeliveries: 1);
                    return true;
                }
            }
        }

        if (consumer.Counts.Next == consumer.Counts.Filled && !TryFetch())
        {
            return false;
        }

        ref var state = ref consumer.Counts;
        var envelope = consumer.Batch[state.Next]!;
        consumer.Batch[state.Next++] = null;
        Volatile.Write(ref state.Delivered, state.Delivered + 1);
        item = new Delivery(envelope, this, state.NextToken++);
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
                ref var place = ref buffer[(counts.Fetched + i) & (buffer.Length - 1)];
                consumer.Batch[i] = place;
                place = null!;
            }

            counts.Fetched += count;
            (consumer.Counts.Next, consumer.Counts.Filled) = (0, count);
            return count > 0;
        }
    }
}
