using RabbitMQ.Client;

namespace EventBus;

/// <summary>Describes a durable exchange or queue that the bus needs.</summary>
/// <param name="Name">The name of the exchange or queue.</param>
/// <param name="ExchangeType">The type of an exchange; null for a queue.</param>
internal sealed record RabbitMqEntity(string Name, string? ExchangeType)
{
    /// <summary>The arguments of a queue. An exchange has none.</summary>
    public IReadOnlyDictionary<string, object?> Arguments { get; init; } = new Dictionary<string, object?>();

    /// <summary>The exchanges and routing keys with which a queue is bound.</summary>
    public IReadOnlyList<(string Exchange, string RoutingKey)> Bindings { get; init; } = [];

    /// <summary>The kind and the name, for error messages.</summary>
    public string Title => ExchangeType is null ? $"the queue '{Name}'" : $"the exchange '{Name}'";

    /// <summary>
    /// Creates the entity, or compares it with the existing one. Fails, and closes the channel, if the existing entity
    /// has other arguments.
    /// </summary>
    public async Task DeclareAsync(IChannel channel)
    {
        if (ExchangeType is not null)
        {
            await channel.ExchangeDeclareAsync(Name, ExchangeType, durable: true, autoDelete: false);
            return;
        }

        await channel.QueueDeclareAsync(Name, durable: true, exclusive: false, autoDelete: false, Arguments.ToDictionary());
        await BindAsync(channel);
    }

    /// <summary>Binds an existing queue. Fails, and closes the channel, if the queue does not exist.</summary>
    public async Task BindAsync(IChannel channel)
    {
        foreach (var (exchange, key) in Bindings)
        {
            await channel.QueueBindAsync(Name, exchange, key);
        }
    }

    /// <summary>Fails, and closes the channel, if the entity does not exist.</summary>
    public Task FindAsync(IChannel channel) =>
        ExchangeType is null ? channel.QueueDeclarePassiveAsync(Name) : channel.ExchangeDeclarePassiveAsync(Name);

    /// <summary>Describes the entity so that an operator can create it.</summary>
    public override string ToString()
    {
        if (ExchangeType is not null)
        {
            return $"a durable {ExchangeType} exchange '{Name}' without arguments";
        }

        var arguments = Arguments.Select(argument => $"{argument.Key}={argument.Value}");
        var bindings = Bindings.Select(binding => $"'{binding.Exchange}' with the key '{binding.RoutingKey}'");
        return $"a durable queue '{Name}'{List(" with ", arguments)}{List(", bound to ", bindings)}";
    }

    private static string List(string before, IEnumerable<string> items)
    {
        var text = string.Join(", ", items);
        return text.Length > 0 ? before + text : "";
    }
}
