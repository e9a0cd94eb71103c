using EventBus.Transports;

namespace EventBus;

/// <summary>Represents a publisher that waits for room in one queue.</summary>
internal sealed class QueueWaiter
{
    private readonly DeliveryQueue queue;

    public QueueWaiter(DeliveryQueue queue, Envelope envelope)
    {
        this.queue = queue;
        Envelope = envelope;
        Node = new LinkedListNode<QueueWaiter>(this);
    }

    public Envelope Envelope { get; }

    /// <summary>The node of this publisher in the list of waiting publishers.</summary>
    public LinkedListNode<QueueWaiter> Node { get; }

    /// <summary>The result: true if the event was enqueued, false if the subscription stopped.</summary>
    public TaskCompletionSource<bool> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Waits until the event is in the queue. Returns false if the deadline passed or the subscription stopped first;
    /// then the event is not in the queue.
    /// </summary>
    public async Task<bool> EnqueuedAsync(CancellationToken deadline)
    {
        try
        {
            return await Completion.Task.WaitAsync(deadline);
        }
        catch (OperationCanceledException)
        {
            if (queue.Withdraw(this))
            {
                return false;
            }

            // The event was enqueued, or the subscription stopped, just before the deadline.
            return await Completion.Task;
        }
    }
}
