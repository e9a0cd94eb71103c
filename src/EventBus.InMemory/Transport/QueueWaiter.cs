using EventBus.Transports;

namespace EventBus;

/// <summary>A publisher that waits for room in one queue.</summary>
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

    /// <summary>True when enqueued, false when the subscription stopped.</summary>
    public TaskCompletionSource<bool> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Waits until the event is in the queue; false when time was up or the subscription stopped first, and then it is certainly not.</summary>
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
