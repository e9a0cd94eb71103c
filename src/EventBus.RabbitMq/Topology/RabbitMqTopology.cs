using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>The names and the shape of what this backend needs on the broker.</summary>
/// <remarks>
/// The queues of a subscription separate their parts with a colon, which neither part may hold, and the queues of the service itself with a dot: no two of them share a name, whatever services and subscriptions are called.
/// </remarks>
internal sealed class RabbitMqTopology(string serviceName, RabbitMqOptions options)
{
    // For the queues behind which there is no other: the broker counts each look as a delivery and drops what is over the limit. RabbitMQ 4 has a limit of 20 where none is given.
    private const int OutOfReach = 1_000_000;

    private const ushort NotFound = 404;
    private const char Separator = ':';
    private const char HashMark = '#';
    private const string Retries = "retries";

    // AMQP carries the name of a queue as a short string.
    private const int MaxNameBytes = 255;

    private static readonly SearchValues<char> PlainCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+");

    public string Exchange => options.Exchange;

    public string ServiceName => serviceName;

    /// <summary>What failed for good, where no store keeps failures. A plain queue that other tools can read.</summary>
    public string DeadLetterQueue => OwnQueue("dead-letters");

    /// <summary>What the broker itself gives up, until the bus has kept it as a dead letter.</summary>
    public string GivenUpQueue => OwnQueue("given-up");

    /// <summary>Where the broker puts what it gives up, and where what failed for good may be.</summary>
    public IEnumerable<RabbitMqEntity> GivenUpThings => [Queue(GivenUpQueue, quorum: true), Queue(DeadLetterQueue, quorum: true)];

    /// <summary>The alerts that are to be sent, where no store keeps failures.</summary>
    public string AlertQueue => OwnQueue("alerts");

    public string QueueOf(string subscription) => Join(subscription);

    /// <summary>What is to be started again, where no store keeps failures.</summary>
    public string RetryQueueOf(string subscription) => Join(subscription, Retries);

    /// <summary>The queue, and the exchange before it, in which events wait for a step's length. Their routing key is the queue that they go on to.</summary>
    public string WaitQueueOf(TimeSpan step) => OwnQueue($"wait-{step.TotalMilliseconds:0}ms");

    /// <summary>The subscription that a queue belongs to; null for any other queue, also for a retry queue.</summary>
    /// <param name="queue">The queue.</param>
    /// <param name="known">The subscriptions of this application; others are found only by a name that has no hash.</param>
    public string? SubscriptionOf(string queue, IEnumerable<string> known)
    {
        var prefix = $"{serviceName}{Separator}";
        return known.FirstOrDefault(subscription => QueueOf(subscription) == queue)
            ?? (queue.StartsWith(prefix, StringComparison.Ordinal) && queue.AsSpan(prefix.Length).IndexOfAny(Separator, HashMark) < 0 ? queue[prefix.Length..] : null);
    }

    /// <summary>What a subscription needs.</summary>
    public IEnumerable<RabbitMqEntity> EntitiesOf(Subscription subscription)
    {
        yield return EventExchange;
        foreach (var thing in GivenUpThings)
        {
            yield return thing;
        }

        var isQuorum = options.QueueType == RabbitMqQueueType.Quorum;
        var arguments = isQuorum ? BrokerDeadLetter() : new()
        {
            ["x-dead-letter-exchange"] = "",
            ["x-dead-letter-routing-key"] = GivenUpQueue,
        };
        if (subscription.Ordered)
        {
            arguments["x-single-active-consumer"] = true;
        }

        // The grammar of patterns is that of topic exchanges: nothing to translate.
        yield return Queue(QueueOf(subscription.Name), isQuorum, arguments) with { Bindings = [.. subscription.Patterns.Select(pattern => (Exchange, pattern.Text))] };
    }

    /// <summary>What failures need where no store keeps them. These queues are always quorum queues: they count deliveries, and hand on what has waited at least once.</summary>
    public IEnumerable<RabbitMqEntity> FailureThings(IEnumerable<string> subscriptions)
    {
        foreach (var thing in GivenUpThings)
        {
            yield return thing;
        }

        yield return Queue(AlertQueue, quorum: true);
        foreach (var subscription in subscriptions)
        {
            yield return Queue(RetryQueueOf(subscription), quorum: true, BrokerDeadLetter());
        }

        foreach (var name in options.RetrySteps.Distinct().Select(step => (Queue: WaitQueueOf(step), Step: step)))
        {
            yield return new RabbitMqEntity(name.Queue, ExchangeType.Fanout);

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
    public RabbitMqEntity EventExchange => new(Exchange, ExchangeType.Topic);

    /// <summary>Deletes the queues of a subscription that is no longer used.</summary>
    /// <exception cref="EventBusException">Somebody consumes them, or events wait in them and are not to be discarded.</exception>
    public async Task RetireAsync(ConnectionSession live, string subscription, bool discardWaiting)
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

    /// <summary>The queue of a subscription; null where there is none.</summary>
    public Task<QueueDeclareOk?> FindQueueAsync(ConnectionSession live, string subscription) => FindAsync(live, QueueOf(subscription));

    private static async Task<QueueDeclareOk?> FindAsync(ConnectionSession live, string queue)
    {
        try
        {
            // On a channel of its own, because a refusal closes it.
            return await live.OnChannelAsync(channel => channel.QueueDeclarePassiveAsync(queue));
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == NotFound)
        {
            return null;
        }
    }

    private static async Task CheckUnusedAsync(ConnectionSession live, string subscription, string queue, bool discardWaiting)
    {
        if (await FindAsync(live, queue) is not { } state)
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

    private static RabbitMqEntity Queue(string name, bool quorum, Dictionary<string, object?>? arguments = null)
    {
        Dictionary<string, object?> all = new() { ["x-queue-type"] = quorum ? "quorum" : "classic" };
        foreach (var (key, value) in arguments ?? [])
        {
            all.Add(key, value);
        }

        if (quorum)
        {
            all.TryAdd("x-delivery-limit", OutOfReach);
        }

        return new RabbitMqEntity(name, null) { Arguments = all };
    }

    /// <summary>What ends a loop that begins below the bus: an event that ends the process, or the connection, at each delivery goes on to the dead letters. At least once, which asks for refusing instead of dropping when the queue is full.</summary>
    private Dictionary<string, object?> BrokerDeadLetter() => new()
    {
        ["x-delivery-limit"] = options.DeliveryLimit,
        ["x-dead-letter-exchange"] = "",
        ["x-dead-letter-routing-key"] = GivenUpQueue,
        ["x-dead-letter-strategy"] = "at-least-once",
        ["x-overflow"] = "reject-publish",
    };

    private string OwnQueue(string kind)
    {
        var name = $"{serviceName}.{kind}";
        return IsPlain(serviceName) && name.Length <= MaxNameBytes ? name : Hashed(name, [serviceName, kind], own: true);
    }

    private string Join(params ReadOnlySpan<string> rest)
    {
        var name = $"{serviceName}{Separator}{string.Join(Separator, rest!)}";
        var plain = IsPlain(serviceName);
        foreach (var part in rest)
        {
            plain &= IsPlain(part);
        }

        return plain && name.Length <= MaxNameBytes ? name : Hashed(name, [serviceName, .. rest], own: false);
    }

    // Of a bus all names are: the rest is for those who use the transport by itself.
    private static bool IsPlain(string part) => !part.AsSpan().ContainsAnyExcept(PlainCharacters);

    /// <summary>As much of a name as has room, and a hash of its parts.</summary>
    private static string Hashed(string name, IReadOnlyList<string> parts, bool own)
    {
        var text = new StringBuilder(own ? "own" : "subscription");
        foreach (var part in parts)
        {
            text.Append('\0').Append(part.Length).Append('\0').Append(part);
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
        var readable = new string([.. name.Where(c => PlainCharacters.Contains(c) || c == Separator).Take(MaxNameBytes - hash.Length - 1)]);
        return $"{readable}{HashMark}{hash}";
    }
}
