using System.Text.Json;
using System.Text.Json.Serialization;
using StackExchange.Redis;

namespace EventBus.Load;

/// <summary>
/// Uses StackExchange.Redis as efficiently as possible: pipelined PUBLISH, and the client's own queue of a channel,
/// read in order. A message is a CloudEvents object, as the bus writes it.
/// </summary>
internal sealed class RawRedisPubSub(ConnectionMultiplexer connection) : Contender
{
    private const int Window = 1_000;

    private static readonly RedisChannel Channel = RedisChannel.Literal($"raw:{RawEvent.Name}");

    private readonly ISubscriber subscriber = connection.GetSubscriber();

    public static async Task<Contender> StartAsync(Arena arena)
    {
        var contender = new RawRedisPubSub(await ConnectionMultiplexer.ConnectAsync(arena.Address));
        for (var i = 0; i < arena.Subscriptions; i++)
        {
            (await contender.subscriber.SubscribeAsync(Channel)).OnMessage(message => contender.OnMessage(message.Message));
        }

        return contender;
    }

    public override async ValueTask PublishAsync(OrderPlaced @event) => await SendAsync(@event);

    public override async Task PublishManyAsync(IReadOnlyList<OrderPlaced> events)
    {
        var sent = new Queue<Task>(Window);
        foreach (var @event in events)
        {
            if (sent.Count == Window)
            {
                await sent.Dequeue();
            }

            sent.Enqueue(SendAsync(@event));
        }

        await Task.WhenAll(sent);
    }

    public override ValueTask DisposeAsync() => connection.DisposeAsync();

    private Task<long> SendAsync(OrderPlaced @event)
    {
        var attributes = RawEvent.Now();
        return subscriber.PublishAsync(Channel, JsonSerializer.SerializeToUtf8Bytes(
            new Message("1.0", attributes.Id, attributes.Type, attributes.Source, attributes.Time, "application/json", @event),
            RawEvent.Json));
    }

    private void OnMessage(RedisValue value)
    {
        var message = JsonSerializer.Deserialize<Message>(((ReadOnlyMemory<byte>)value).Span, RawEvent.Json)!;
        if (message.Type == RawEvent.Name)
        {
            Handle(message.Data);
        }
    }

    private sealed record Message(
        [property: JsonConverter(typeof(KnownText))] string SpecVersion,
        string Id,
        [property: JsonConverter(typeof(KnownText))] string Type,
        [property: JsonConverter(typeof(KnownText))] string Source,
        DateTimeOffset Time,
        [property: JsonConverter(typeof(KnownText))] string DataContentType,
        OrderPlaced Data);

    /// <summary>Returns texts that every event repeats without a new allocation, as the bus does.</summary>
    private sealed class KnownText : JsonConverter<string>
    {
        public override string Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.ValueTextEquals("1.0"u8) ? "1.0"
            : reader.ValueTextEquals(RawEvent.Name) ? RawEvent.Name
            : reader.ValueTextEquals(RawEvent.Origin) ? RawEvent.Origin
            : reader.ValueTextEquals("application/json"u8) ? "application/json"
            : reader.GetString()!;

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
    }
}
