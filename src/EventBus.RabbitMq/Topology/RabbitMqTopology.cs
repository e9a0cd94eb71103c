using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Defines the names and arguments of the entities that this backend needs on the broker.</summary>
internal sealed class RabbitMqTopology(string serviceName, RabbitMqOptions options)
{
    // A delivery limit that is never reached, for queues without a dead-letter queue: the broker counts each read as a
    // delivery, and drops messages that exceed the limit. Without an explicit limit, RabbitMQ 4 uses a limit of 20.
    private const int UnreachableLimit = 1_000_000;

    private const string RetryKind = "retries";

    private readonly RabbitMqQueueNames names = new(serviceName);

    public string Exchange => options.Exchange;

    public string ServiceName => serviceName;

    /// <summary>The hosts and ports of the broker, for errors. Default: unknown.</summary>
    public string Address { get; init; } = "an unknown address";

    /// <summary>
    /// The queue of events that failed permanently. Used if the bus has no store. A plain queue, which other tools can
    /// read.
    /// </summary>
    public string DeadLetterQueue => names.OfService("dead-letters");

    /// <summary>
    /// The queue of events that the broker dead-lettered by itself, for instance after too many deliveries. They stay
    /// in it until the bus has stored them as dead letters.
    /// </summary>
    public string BrokerDeadLetterQueue => names.OfService("given-up");

    /// <summary>
    /// The queue of events that the broker dead-lettered, and the queue of events that failed permanently.
    /// </summary>
    public IEnumerable<RabbitMqEntity> BrokerDeadLetterEntities =>
        [Queue(BrokerDeadLetterQueue, quorum: true), Queue(DeadLetterQueue, quorum: true)];

    /// <summary>The queue of alerts to send. Used if the bus has no store.</summary>
    public string AlertQueue => names.OfService("alerts");

    /// <summary>Checks that the names of the subscriptions' queues are not longer than RabbitMQ allows.</summary>
    /// <param name="subscriptions">The subscriptions.</param>
    /// <param name="keepsFailures">True if their queues for retries are needed too.</param>
    /// <exception cref="EventBusConfigurationException">A name is too long.</exception>
    public void CheckNames(IEnumerable<string> subscriptions, bool keepsFailures)
    {
        if (names.ProblemOf(subscriptions, keepsFailures ? RetryKind : null) is { } problem)
        {
            throw new EventBusConfigurationException([problem]);
        }
    }

    public string QueueOf(string subscription) => names.OfSubscription(subscription);

    /// <summary>Gets the queue of events that are due for a retry. Used if the bus has no store.</summary>
    public string RetryQueueOf(string subscription) => names.OfSubscription(subscription, RetryKind);

    /// <summary>
    /// Gets the name of the queue, and of its exchange, in which events wait for a retry delay. The routing key of an
    /// event is the queue to which the event moves afterwards.
    /// </summary>
    public string WaitQueueOf(TimeSpan step) => names.OfService($"wait-{step.TotalMilliseconds:0}ms");

    /// <summary>Gets the subscription of a queue; null for any other queue, including a retry queue.</summary>
    /// <param name="queue">The name of the queue.</param>
    /// <param name="known">
    /// The subscriptions of this application. Others are found only if the queue name contains no hash.
    /// </param>
    public string? SubscriptionOf(string queue, IEnumerable<string> known) => names.SubscriptionOf(queue, known);

    /// <summary>Gets the entities that a subscription needs.</summary>
    public IEnumerable<RabbitMqEntity> EntitiesOf(Subscription subscription)
    {
        yield return EventExchange;
        foreach (var entity in BrokerDeadLetterEntities)
        {
            yield return entity;
        }

        var isQuorum = options.QueueType == RabbitMqQueueType.Quorum;
        var arguments = isQuorum ? DeliveryLimitArguments() : ClassicDeadLetterArguments();
        if (subscription.Ordered)
        {
            arguments["x-single-active-consumer"] = true;
        }

        // Topic exchanges use the same pattern grammar, so no translation is needed.
        yield return Queue(
            QueueOf(subscription.Name),
            isQuorum,
            arguments) with
        { Bindings = [.. subscription.Patterns.Select(pattern => (Exchange, pattern.Text))] };
    }

    /// <summary>
    /// Gets the entities for failed events, which are needed if the bus has no store. These queues are always quorum
    /// queues, because quorum queues count deliveries and forward waiting messages at least once.
    /// </summary>
    public IEnumerable<RabbitMqEntity> FailureEntities(IEnumerable<string> subscriptions)
    {
        foreach (var entity in BrokerDeadLetterEntities)
        {
            yield return entity;
        }

        yield return Queue(AlertQueue, quorum: true);
        foreach (var subscription in subscriptions)
        {
            yield return Queue(RetryQueueOf(subscription), quorum: true, DeliveryLimitArguments());
        }

        foreach (var step in options.EffectiveRetrySteps.Distinct())
        {
            // The queue and its exchange have the same name.
            var name = WaitQueueOf(step);
            yield return new RabbitMqEntity(name, ExchangeType.Fanout);

            // At-least-once dead-lettering requires that a full queue rejects messages instead of dropping them.
            // Without a dead-letter routing key the message keeps its routing key, which is the queue to which it
            // moves.
            Dictionary<string, object?> arguments = new()
            {
                ["x-message-ttl"] = (long)step.TotalMilliseconds,
                ["x-dead-letter-exchange"] = "",
                ["x-dead-letter-strategy"] = "at-least-once",
                ["x-overflow"] = "reject-publish",
            };
            yield return Queue(name, quorum: true, arguments) with { Bindings = [(name, "")] };
        }
    }

    /// <summary>
    /// The exchange of events. It has no arguments, so that a plain declaration by a service in another language
    /// matches.
    /// </summary>
    public RabbitMqEntity EventExchange => new(Exchange, ExchangeType.Topic);

    private static RabbitMqEntity Queue(string name, bool quorum, Dictionary<string, object?>? arguments = null)
    {
        Dictionary<string, object?> allArguments = new() { ["x-queue-type"] = quorum ? "quorum" : "classic" };
        foreach (var (key, value) in arguments ?? [])
        {
            allArguments.Add(key, value);
        }

        if (quorum)
        {
            // Has no effect if the arguments contain a limit.
            allArguments.TryAdd("x-delivery-limit", UnreachableLimit);
        }

        return new RabbitMqEntity(name, null) { Arguments = allArguments };
    }

    /// <summary>
    /// Gets the arguments that stop endless redelivery: an event that ends the process or the connection at each
    /// delivery moves to the <see cref="BrokerDeadLetterQueue"/>. At-least-once dead-lettering requires that a full
    /// queue rejects messages instead of dropping them.
    /// </summary>
    private Dictionary<string, object?> DeliveryLimitArguments() => new()
    {
        ["x-delivery-limit"] = options.DeliveryLimit,
        ["x-dead-letter-exchange"] = "",
        ["x-dead-letter-routing-key"] = BrokerDeadLetterQueue,
        ["x-dead-letter-strategy"] = "at-least-once",
        ["x-overflow"] = "reject-publish",
    };

    // Classic queues have no delivery limit, but may drop events for other reasons.
    private Dictionary<string, object?> ClassicDeadLetterArguments() => new()
    {
        ["x-dead-letter-exchange"] = "",
        ["x-dead-letter-routing-key"] = BrokerDeadLetterQueue,
    };
}
