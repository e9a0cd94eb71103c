using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Publishes events directly into the queues of the subscriptions, without serialization or threads. No event is lost
/// while the process runs. With <see cref="InMemoryOptions.RoundTrip"/>, events are serialized, and each delivery is
/// read from the bytes.
/// </summary>
internal sealed class InMemoryTransport(InMemoryOptions options) : Transport
{
    private const int RouteCacheSize = 16;

    private readonly Lock gate = new();
    private volatile Dictionary<string, InMemoryReceiver> receivers = [];
    private volatile Dictionary<string, Route> routes = new(StringComparer.Ordinal);

    // A small cache in front of the routes. A slot (CacheIndexOf) keeps the first route that falls into it. A hit needs
    // one comparison of references and no hash of the name. Read without the lock: a slot is written once, and a route
    // never changes.
    private volatile Route?[] routeCache = new Route?[RouteCacheSize];

    // The source of the events that are read back from their bytes.
    private string? serviceName;

    public override TransportFeatures Features { get; } = new()
    {
        System = "in_memory",
        Ordered = true,
        Redelivers = true,
        Serializes = options.RoundTrip,
        ReportsUnrouted = true,
        CountsWork = true,
        KnowsBacklog = true,
    };

    public override (long Accepted, long Settled) Work
    {
        get
        {
            long accepted = 0, settled = 0;
            foreach (var receiver in receivers.Values)
            {
                var work = receiver.Queue.Work;
                accepted += work.Accepted;
                settled += work.Settled;
            }

            return (accepted, settled);
        }
    }

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        serviceName = topology.ServiceName;
        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            // The table of receivers is replaced as a whole and never changed, because publishers read it without a
            // lock. The known routes lack the new receiver.
            var receiver = new InMemoryReceiver(subscription, new DeliveryQueue(options.Capacity, options.HandlerReserve));
            receivers = new Dictionary<string, InMemoryReceiver>(receivers) { [subscription.Name] = receiver };
            routes = new Dictionary<string, Route>(StringComparer.Ordinal);
            routeCache = new Route?[RouteCacheSize];
            return ValueTask.FromResult<Receiver>(options.RoundTrip ? new RoundTripReceiver(receiver, serviceName) : receiver);
        }
    }

    public override bool MayHaveSubscribers(string eventName) => RouteOf(eventName).Length > 0;

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            var route = RouteOf(envelope.Name);
            for (var j = 0; j < route.Length; j++)
            {
                if (route[j].Queue.TryEnqueue(envelope) != EnqueueResult.Done)
                {
                    return new ValueTask(PublishRestAsync(batch, outcomes, i, j, deadline));
                }
            }

            outcomes.Span[i] = route.Length == 0 ? PublishOutcome.Unrouted : PublishOutcome.Accepted;
        }

        return ValueTask.CompletedTask;
    }

    public override ValueTask<IReadOnlyList<SubscriptionBacklog>> ReadBacklogAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<SubscriptionBacklog>>([.. receivers.Values.Select(receiver => receiver.ReadBacklog())]);

    public override ValueTask DisposeAsync()
    {
        foreach (var receiver in receivers.Values)
        {
            receiver.Queue.Stop();
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// Publishes the rest of a batch after a subscription did not accept an event at once: the event at
    /// <paramref name="position"/>, beginning with its subscription at <paramref name="firstPending"/>, and all events
    /// after it.
    /// </summary>
    private async Task PublishRestAsync(
        ReadOnlyMemory<Envelope> batch,
        Memory<PublishOutcome> outcomes,
        int position,
        int firstPending,
        CancellationToken deadline)
    {
        var order = default(KeyOrder);
        for (var i = position; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            PublishOutcome outcome;
            if (order.IsHeldBack(envelope.Key))
            {
                outcome = KeyOrder.NotSent;
            }
            else
            {
                // The constructor of Fanout adds the publisher to the waiting publishers of each queue. For the first
                // event this happens before the first await, so that it keeps its position among concurrent calls.
                var fanout = new Fanout(envelope, RouteOf(envelope.Name), i == position ? firstPending : 0, options.QueueFullMode);
                outcome = await fanout.CompleteAsync(deadline);
            }

            outcomes.Span[i] = outcome;
            order.Record(envelope.Key, outcome);
        }
    }

    private InMemoryReceiver[] RouteOf(string eventName)
    {
        // The names of published events are usually the same few string instances.
        var cached = routeCache[CacheIndexOf(eventName)];
        if (cached is not null && ReferenceEquals(cached.EventName, eventName))
        {
            return cached.Receivers;
        }

        return routes.TryGetValue(eventName, out var route) ? route.Receivers : AddRoute(eventName);
    }

    private InMemoryReceiver[] AddRoute(string eventName)
    {
        lock (gate)
        {
            var route = new Route(eventName, [.. receivers.Values.Where(receiver => receiver.Subscription.Matches(eventName))]);
            routes = new Dictionary<string, Route>(routes, StringComparer.Ordinal) { [eventName] = route };
            routeCache[CacheIndexOf(eventName)] ??= route;
            return route.Receivers;
        }
    }

    private static int CacheIndexOf(string eventName) =>
        eventName.Length == 0 ? 0 : (eventName.Length + eventName[^1]) & (RouteCacheSize - 1);

    private sealed record Route(string EventName, InMemoryReceiver[] Receivers);
}
