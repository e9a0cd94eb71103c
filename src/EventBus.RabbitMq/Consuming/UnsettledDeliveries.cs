using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Tracks the deliveries of one channel until they are settled, or until the channel has ended. Thread-safe.
/// </summary>
/// <param name="buffer">The buffer of the subscription's receiver, which outlives the channel.</param>
internal sealed class UnsettledDeliveries(Channel<Delivery> buffer) : IDisposable
{
    private readonly Lock gate = new();
    private readonly HashSet<long> unsettled = [];
    private readonly CancellationTokenSource lost = new();
    private readonly TaskCompletionSource<Exception> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long received;

    /// <summary>Completes with the cause when the channel has ended.</summary>
    public Task<Exception> Ended => ended.Task;

    /// <summary>The token of all deliveries of the channel, which is cancelled when the channel has ended.</summary>
    public CancellationToken Lost => lost.Token;

    /// <summary>The number of deliveries that were added.</summary>
    public long Received
    {
        get
        {
            lock (gate)
            {
                return received;
            }
        }
    }

    /// <summary>True if every delivery is settled.</summary>
    public bool IsEmpty
    {
        get
        {
            lock (gate)
            {
                return unsettled.Count == 0;
            }
        }
    }

    /// <summary>Adds a delivery, and writes it to the buffer. Drops it if the channel has ended.</summary>
    /// <returns>
    /// False if the buffer does not take the delivery, because the intake has stopped. True otherwise, also if the
    /// delivery was dropped.
    /// </returns>
    public bool TryAdd(in Delivery delivery)
    {
        lock (gate)
        {
            if (ended.Task.IsCompleted)
            {
                return true;
            }

            received++;
            unsettled.Add(delivery.Token);
            return buffer.Writer.TryWrite(delivery);
        }
    }

    /// <summary>Removes a delivery that is being settled; false if it is settled or lost already.</summary>
    public bool TryRemove(long deliveryTag)
    {
        lock (gate)
        {
            return unsettled.Remove(deliveryTag);
        }
    }

    /// <summary>
    /// Drops the buffered deliveries, and cancels the token of all deliveries. Does nothing if the channel has already
    /// ended.
    /// </summary>
    public void End(Exception cause)
    {
        lock (gate)
        {
            if (!ended.TrySetResult(cause))
            {
                return;
            }

            unsettled.Clear();

            // Cancels the token at once. The callbacks that handlers registered run on the thread pool, because this
            // thread may be the one that reads for the client.
            _ = lost.CancelAsync().Observed();
            while (buffer.Reader.TryRead(out _))
            {
                // The event is dropped here, because it can no longer be settled. The next channel delivers it again.
            }
        }
    }

    /// <summary>
    /// Releases the resources. Call it after <see cref="End"/>. The tokens of lost deliveries remain usable.
    /// </summary>
    public void Dispose()
    {
        // A cancelled source is not disposed: disposing would drop callbacks that the cancellation has not run yet, and
        // there is nothing to free.
        if (!lost.IsCancellationRequested)
        {
            lost.Dispose();
        }
    }
}
