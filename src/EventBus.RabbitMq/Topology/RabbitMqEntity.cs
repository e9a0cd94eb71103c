using RabbitMQ.Client;

namespace EventBus;

/// <summary>A durable exchange or queue that the bus needs.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ExchangeType">The type of an exchange; null for a queue.</param>
internal sealed record RabbitMqEntity(string Name, string? ExchangeType)
{
    public IReadOnlyDictionary<string, object?> Arguments { get; init; } = new Dictionary<string, object?>();

    /// <summary>The exchanges and routing keys of a queue.</summary>
    public IReadOnlyList<(string Exchange, string RoutingKey)> Bindings { get; init; } = [];

    public string Title => ExchangeType is null ? $"the queue '{Name}'" : $"the exchange '{Name}'";

    /// <summary>Creates it, or compares it with what is there. Fails, and ends the channel, if that has other arguments.</summary>
    public async Task DeclareAsync(IChannel channel)
    {
        if (ExchangeType is not null)
        {
            await channel.ExchangeDeclareAsync(Name, ExchangeType, durable: true, autoDelete: false);
            return;
        }

        await channel.QueueDeclareAsync(Name, durable: true, exclusive: false, autoDelete: false, Arguments.ToDictionary());
        foreach (var (exchange, key) in Bindings)
        {
            await channel.QueueBindAsync(Name, exchange, key);
        }
    }

    /// <summary>Fails, and ends the channel, if it is not there.</summary>
    public Task FindAsync(IChannel channel) => ExchangeType is null ? channel.QueueDeclarePassiveAsync(Name) : channel.ExchangeDeclarePassiveAsync(Name);

    /// <summary>How people can create it themselves.</summary>
    public override string ToString() => ExchangeType is null
        ? $"a durable queue '{Name}'{List(" with ", Arguments.Select(argument => $"{argument.Key}={argument.Value}"))}{List(", bound to ", Bindings.Select(binding => $"'{binding.Exchange}' with the key '{binding.RoutingKey}'"))}"
        : $"a durable {ExchangeType} exchange '{Name}' without arguments";

    private static string List(string before, IEnumerable<string> items) => string.Join(", ", items) is { Length: > 0 } text ? before + text : "";
}
