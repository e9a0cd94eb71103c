using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>The names and the shape of what this backend creates on the broker.</summary>
internal sealed class RabbitMqTopology(string serviceName, string exchange)
{
    // Out of reach on purpose: the broker also counts what was merely prefetched, so its count is no count of starts. RabbitMQ 4 would drop after 20 by default.
    private const int DeliveryLimit = 1_000_000;

    public string Exchange => exchange;

    public string ServiceName => serviceName;

    public string DeadLetterQueue => $"{serviceName}.dead-letters";

    public string QueueOf(Subscription subscription) => $"{serviceName}.{subscription.Name}";

    /// <summary>Without arguments, so that the plain declaration of a service in another language matches.</summary>
    public Task DeclareExchangeAsync(IChannel channel) =>
        channel.ExchangeDeclareAsync(exchange, ExchangeType.Topic, durable: true, autoDelete: false);

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
