using EventBus.Transports;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>The names and the shape of what this backend creates on the broker.</summary>
internal sealed class RabbitMqTopology(string serviceName, string exchange)
{
    // Out of reach on purpose: the broker also counts what was merely prefetched, so its count is no count of starts. RabbitMQ 4 would drop after 20 by default.
    private const int DeliveryLimit = 1_000_000;

    private const ushort NotFound = 404;

    public string Exchange => exchange;

    public string ServiceName => serviceName;

    public string DeadLetterQueue => $"{serviceName}.dead-letters";

    public string QueueOf(Subscription subscription) => QueueOf(subscription.Name);

    private string QueueOf(string subscription) => $"{serviceName}.{subscription}";

    /// <summary>Without arguments, so that the plain declaration of a service in another language matches.</summary>
    public Task DeclareExchangeAsync(IChannel channel) =>
        channel.ExchangeDeclareAsync(exchange, ExchangeType.Topic, durable: true, autoDelete: false);

    /// <summary>Deletes the queue of a subscription that is no longer used.</summary>
    /// <exception cref="EventBusException">Somebody consumes it, or events wait in it and are not to be discarded.</exception>
    public async Task RetireAsync(LiveConnection live, string subscription, bool discardWaiting)
    {
        // Each on a channel of its own, because a refusal closes it. The flags "if unused" and "if empty" of the protocol are not made for quorum queues.
        var queue = QueueOf(subscription);
        await using var channel = await live.CallAsync(live.Client.CreateChannelAsync());
        QueueDeclareOk state;
        try
        {
            state = await live.CallAsync(channel.QueueDeclarePassiveAsync(queue));
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

        await live.CallAsync(channel.QueueDeleteAsync(queue, ifUnused: false, ifEmpty: false));
    }

    public async Task DeclareQueueAsync(IChannel channel, Subscription subscription)
    {
        await DeclareExchangeAsync(channel);
        await channel.QueueDeclareAsync(DeadLetterQueue, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?> { ["x-queue-type"] = "quorum" });
        var arguments = new Dictionary<string, object?>
        {
            ["x-queue-type"] = "quorum",
            ["x-delivery-limit"] = DeliveryLimit,
            ["x-dead-letter-exchange"] = "",
            ["x-dead-letter-routing-key"] = DeadLetterQueue,
        };
        if (subscription.Ordered)
        {
            arguments["x-single-active-consumer"] = true;
        }

        await channel.QueueDeclareAsync(QueueOf(subscription), durable: true, exclusive: false, autoDelete: false, arguments);
        foreach (var pattern in subscription.Patterns)
        {
            // The grammar of patterns is that of topic exchanges: nothing to translate.
            await channel.QueueBindAsync(QueueOf(subscription), exchange, pattern.Text);
        }
    }
}
