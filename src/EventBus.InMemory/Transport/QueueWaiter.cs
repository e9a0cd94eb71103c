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
            return !queue.Withdraw(this) && await Completion.Task;
        }
    }
}
