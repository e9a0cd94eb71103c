using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Publishes one event to the queues of its subscriptions after one of them did not accept it at once. Records which
/// queues have accepted the event, for the outcome.
/// </summary>
internal sealed class Fanout
{
    private const string Advice =
        "If a queue is full, its handlers are slower than its publishers: speed them up, or raise InMemoryOptions.Capacity.";

    // The names of the subscriptions that have accepted the event, and of those that have not, with the reason.
    private readonly List<string> accepted = [];
    private readonly List<string> notAccepted = [];

    private readonly List<(string Name, QueueWaiter Waiter)> waiters = [];

    /// <summary>
    /// Adds the event to the queues with room, and the publisher to the waiting publishers of the others.
    /// </summary>
    /// <param name="envelope">The event.</param>
    /// <param name="route">Its subscriptions.</param>
    /// <param name="firstPending">The index of the first subscription that has not accepted it yet.</param>
    /// <param name="whenFull">The behavior of a publish outside of handlers.</param>
    public Fanout(Envelope envelope, InMemoryReceiver[] route, int firstPending, QueueFullMode whenFull)
    {
        for (var i = 0; i < route.Length; i++)
        {
            var name = route[i].Subscription.Name;
            var queue = route[i].Queue;
            var result = i < firstPending ? EnqueueResult.Done : queue.TryEnqueue(envelope);
            if (result == EnqueueResult.Done)
            {
                accepted.Add(name);
            }
            else if (result == EnqueueResult.Full && whenFull == QueueFullMode.Wait && !envelope.FromHandler)
            {
                waiters.Add((name, queue.Wait(envelope)));
            }
            else
            {
                notAccepted.Add($"{name} ({ReasonOf(result, envelope)})");
            }
        }
    }

    /// <summary>Waits for room in the full queues until the deadline, and returns the outcome.</summary>
    public async ValueTask<PublishOutcome> CompleteAsync(CancellationToken deadline)
    {
        foreach (var (name, waiter) in waiters)
        {
            if (await waiter.EnqueuedAsync(deadline))
            {
                accepted.Add(name);
            }
            else
            {
                // A waiter that was withdrawn at the deadline is not completed; one whose subscription stopped is.
                notAccepted.Add($"{name} ({(waiter.Completion.Task.IsCompleted ? "stopped" : "full")})");
            }
        }

        if (notAccepted.Count == 0)
        {
            return accepted.Count == 0 ? PublishOutcome.Unrouted : PublishOutcome.Accepted;
        }

        if (accepted.Count == 0)
        {
            return PublishOutcome.Failed(new TimeoutException(
                $"the queues of these subscriptions did not accept it: {string.Join(", ", notAccepted)}. {Advice}"));
        }

        return PublishOutcome.InDoubt(new TimeoutException(
            $"the queues of {string.Join(", ", accepted)} have accepted it, but not those of {string.Join(", ", notAccepted)}. {Advice}"));
    }

    private static string ReasonOf(EnqueueResult result, Envelope envelope)
    {
        if (result == EnqueueResult.Stopped)
        {
            return "stopped";
        }

        return envelope.FromHandler ? "full, and the handlers' reserve is used up" : "full";
    }
}
