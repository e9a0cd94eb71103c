using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Publishes one event to several queues of which at least one was full. Records which queues accepted it, for the
/// outcome.
/// </summary>
internal sealed class Fanout
{
    private readonly List<string> reached = [];
    private readonly List<string> refused = [];
    private readonly List<(string Name, QueueWaiter Waiter)> waiters = [];

    /// <summary>
    /// Adds the event to the queues with room, and the publisher to the waiting publishers of the others.
    /// </summary>
    /// <param name="envelope">The event.</param>
    /// <param name="route">Its subscriptions.</param>
    /// <param name="from">The index of the first subscription that has not received it yet.</param>
    /// <param name="whenFull">The behavior of a publish outside of handlers.</param>
    public Fanout(Envelope envelope, InMemoryReceiver[] route, int from, QueueFullMode whenFull)
    {
        for (var i = 0; i < route.Length; i++)
        {
            var (name, queue) = (route[i].Subscription.Name, route[i].Queue);
            var result = i < from ? EnqueueResult.Done : queue.TryEnqueue(envelope);
            if (result == EnqueueResult.Done)
            {
                reached.Add(name);
            }
            else if (result == EnqueueResult.Full && whenFull == QueueFullMode.Wait && !envelope.FromHandler)
            {
                waiters.Add((name, queue.Wait(envelope)));
            }
            else
            {
                refused.Add($"{name} ({ReasonOf(result, envelope)})");
            }
        }
    }

    public async ValueTask<PublishOutcome> CompleteAsync(CancellationToken deadline)
    {
        foreach (var (name, waiter) in waiters)
        {
            (await waiter.EnqueuedAsync(deadline) ? reached : refused).Add(name);
        }

        if (refused.Count == 0)
        {
            return reached.Count == 0 ? PublishOutcome.Unrouted : PublishOutcome.Accepted;
        }

        if (reached.Count == 0)
        {
            return PublishOutcome.Failed(new TimeoutException(
                $"no room in {string.Join(", ", refused)}. Its handlers are slower than its publishers: speed them up, or raise "
                    + "InMemoryOptions.Capacity."));
        }

        return PublishOutcome.InDoubt(new TimeoutException(
            $"no room in {string.Join(", ", refused)}; {string.Join(", ", reached)} got it. Handlers are slower than publishers: "
                + "speed them up, or raise InMemoryOptions.Capacity."));
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
