using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>The names and the shape of what this backend needs on the broker.</summary>
internal sealed class RabbitMqTopology(string serviceName, RabbitMqOptions options)
{
    // Out of reach on purpose, for every quorum queue: the broker also counts what was merely prefetched or looked at, so its count is no count of starts. RabbitMQ 4 would drop after 20 by default.
    private const int DeliveryLimit = 1_000_000;

    private const ushort NotFound = 404;
    private const string Retries = "retries";

    public string Exchange => options.Exchange;

    public string ServiceName => serviceName;

    /// <summary>What failed for good, and what the broker gives up. A plain queue that other tools can read.</summary>
    public string DeadLetterQueue => $"{serviceName}.dead-letters";

    /// <summary>What people are to be told of, where no store keeps failures.</summary>
    public string AlertQueue => $"{serviceName}.alerts";

    /// <summary>Refuses subscriptions whose queues would be queues of the bus's own.</summary>
    /// <exception cref="EventBusException">One or more; all are named.</exception>
    public void CheckNames(IEnumerable<string> subscriptions)
    {
        var taken = subscriptions.Select(name => (Name: name, Queue: QueueOf(name))).Where(subscription => IsOwn(subscription.Queue)).ToList();
        if (taken.Count > 0)
        {
            throw new EventBusException(
                $"On RabbitMQ a subscription has a queue of its name, and these names are those of queues of the bus's own:{string.Concat(taken.Select(subscription => $"{Environment.NewLine}* '{subscription.Name}' ('{subscription.Queue}')"))}"
                + $"{Environment.NewLine}Choose other names: not 'alerts', 'dead-letters', 'wait-...' or '....{Retries}'.");
        }
    }

    public string QueueOf(string subscription) => $"{serviceName}.{subscription}";

    /// <summary>What is to be started again, where no store keeps failures.</summary>
    public string RetryQueueOf(string subscription) => $"{serviceName}.{subscription}.{Retries}";

    /// <summary>The queue, and the exchange before it, in which events wait for a step's length. Their routing key is the queue that they go on to.</summary>
    public string WaitQueueOf(TimeSpan step) => $"{WaitPrefix}{step.TotalMilliseconds:0}ms";

    private string WaitPrefix => $"{serviceName}.wait-";

    private bool IsOwn(string queue) =>
        queue == DeadLetterQueue || queue == AlertQueue || queue.StartsWith(WaitPrefix, StringComparison.Ordinal) || queue.EndsWith($".{Retries}", StringComparison.Ordinal);

    /// <summary>What a subscription needs.</summary>
    public IEnumerable<RabbitMqThing> ThingsOf(Subscription subscription)
    {
        yield return EventExchange;
        yield return Queue(DeadLetterQueue, quorum: true);
        var isQuorum = options.QueueType == RabbitMqQueueType.Quorum;
        Dictionary<string, object?> arguments = new()
        {
            ["x-dead-letter-exchange"] = "",
            ["x-dead-letter-routing-key"] = DeadLetterQueue,
        };
        if (subscription.Ordered)
        {
            arguments["x-single-active-consumer"] = true;
        }

        // The grammar of patterns is that of topic exchanges: nothing to translate.
        yield return Queue(QueueOf(subscription.Name), isQuorum, arguments) with { Bindings = [.. subscription.Patterns.Select(pattern => (Exchange, pattern.Text))] };
    }

    /// <summary>What failures need where no store keeps them. These queues are always quorum queues: they count deliveries, and hand on what has waited at least once.</summary>
    public IEnumerable<RabbitMqThing> FailureThings(IEnumerable<string> subscriptions)
    {
        yield return Queue(DeadLetterQueue, quorum: true);
        yield return Queue(AlertQueue, quorum: true);
        foreach (var subscription in subscriptions)
        {
            yield return Queue(RetryQueueOf(subscription), quorum: true, new()
            {
                ["x-dead-letter-exchange"] = "",
                ["x-dead-letter-routing-key"] = DeadLetterQueue,
            });
        }

        foreach (var name in options.RetrySteps.Distinct().Select(step => (Queue: WaitQueueOf(step), Step: step)))
        {
            yield return new RabbitMqThing(name.Queue, ExchangeType.Fanout);

            // At least once, which asks for refusing instead of dropping when the queue is full. Without a dead-letter routing key the message keeps its own: where it goes on to.
            Dictionary<string, object?> arguments = new()
            {
                ["x-message-ttl"] = (long)name.Step.TotalMilliseconds,
                ["x-dead-letter-exchange"] = "",
                ["x-dead-letter-strategy"] = "at-least-once",
                ["x-overflow"] = "reject-publish",
            };
            yield return Queue(name.Queue, quorum: true, arguments) with { Bindings = [(name.Queue, "")] };
        }
    }

    /// <summary>Without arguments, so that the plain declaration of a service in another language matches.</summary>
    public RabbitMqThing EventExchange => new(Exchange, ExchangeType.Topic);

    /// <summary>Deletes the queues of a subscription that is no longer used.</summary>
    /// <exception cref="EventBusException">Somebody consumes them, or events wait in them and are not to be discarded.</exception>
    public async Task RetireAsync(LiveConnection live, string subscription, bool discardWaiting)
    {
        string[] queues = [QueueOf(subscription), RetryQueueOf(subscription)];
        foreach (var queue in queues)
        {
            await CheckUnusedAsync(live, subscription, queue, discardWaiting);
        }

        foreach (var queue in queues)
        {
            // Deleting what is not there is no error. The flags "if unused" and "if empty" of the protocol are not made for quorum queues.
            await live.OnChannelAsync(channel => channel.QueueDeleteAsync(queue, ifUnused: false, ifEmpty: false));
        }
    }

    private static async Task CheckUnusedAsync(LiveConnection live, string subscription, string queue, bool discardWaiting)
    {
        // On a channel of its own, because a refusal closes it.
        QueueDeclareOk state;
        try
        {
            state = await live.OnChannelAsync(channel => channel.QueueDeclarePassiveAsync(queue));
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == NotFound)
        {
            return;
        }

        if (state.ConsumerCount > 0)
        {
            throw new EventBusException($"The queue '{queue}' still has {state.ConsumerCount} consumers. Stop the instances that subscribe to '{subscription}' first.");
        }

        if (state.MessageCount > 0 && !discardWaiting)
        {
            throw new EventBusException($"{state.MessageCount:N0} events wait in the queue '{queue}'. Let them be handled, or discard them (discardWaiting: true).");
        }
    }

    private static RabbitMqThing Queue(string name, bool quorum, Dictionary<string, object?>? arguments = null)
    {
        Dictionary<string, object?> all = new() { ["x-queue-type"] = quorum ? "quorum" : "classic" };
        if (quorum)
        {
            all["x-delivery-limit"] = DeliveryLimit;
        }

        foreach (var (key, value) in arguments ?? [])
        {
            all.Add(key, value);
        }

        return new RabbitMqThing(name, null) { Arguments = all };
    }
}
