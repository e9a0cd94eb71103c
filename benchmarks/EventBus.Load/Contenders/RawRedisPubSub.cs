using System.Text.Json;
using StackExchange.Redis;

namespace EventBus.Load;

/// <summary>StackExchange.Redis used as well as it can be: pipelined PUBLISH, and the client's own queue of a channel, read in order. A message is a CloudEvents object, as the bus writes it.</summary>
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
        return subscriber.PublishAsync(Channel, JsonSerializer.SerializeToUtf8Bytes(new Message("1.0", attributes.Id, attributes.Type, attributes.Source, attributes.Time, "application/json", @event), RawEvent.Json));
    }

    private void OnMessage(RedisValue value)
    {
        var message = JsonSerializer.Deserialize<Message>(((ReadOnlyMemory<byte>)value).Span, RawEvent.Json)!;
        if (message.Type == RawEvent.Name)
        {
            Handle(message.Data);
        }
    }

    private sealed record Message(string SpecVersion, string Id, string Type, string Source, DateTimeOffset Time, string DataContentType, OrderPlaced Data);
}
