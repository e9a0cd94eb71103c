using System.Text;
using StackExchange.Redis;

namespace EventBus.Load;

/// <summary>
/// Uses StackExchange.Redis as efficiently as possible: pipelined XADD, a blocking XREADGROUP on a separate connection
/// for each subscription, one XACK for each read.
/// </summary>
internal sealed class RawRedisStreams(ConnectionMultiplexer connection) : Contender
{
    private const int Count = 256;
    private const string Stream = "raw:order";
    private const int Window = 1_000;
    private const long BlockMilliseconds = 2_000;

    private readonly IDatabase database = connection.GetDatabase();
    private readonly List<Task> reading = [];
    private volatile bool stopped;

    public static async Task<Contender> StartAsync(Arena arena)
    {
        var contender = new RawRedisStreams(await ConnectionMultiplexer.ConnectAsync(arena.Address));
        for (var i = 0; i < arena.Subscriptions; i++)
        {
            var group = Arena.SubscriptionName(i);
            try
            {
                await contender.database.StreamCreateConsumerGroupAsync(Stream, group, "$", createStream: true);
            }
            catch (RedisServerException exception) when (exception.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
            {
                // A second process of this contender, for a profile.
            }

            var blocking = await ConnectionMultiplexer.ConnectAsync(arena.Address);
            contender.reading.Add(Task.Run(() => contender.ReadAsync(blocking, group)));
        }

        return contender;
    }

    public override async ValueTask PublishAsync(OrderPlaced @event) => await database.StreamAddAsync(Stream, Write(@event));

    public override async Task PublishManyAsync(IReadOnlyList<OrderPlaced> events)
    {
        var sent = new Queue<Task>(Window);
        foreach (var @event in events)
        {
            if (sent.Count == Window)
            {
                await sent.Dequeue();
            }

            sent.Enqueue(database.StreamAddAsync(Stream, Write(@event)));
        }

        await Task.WhenAll(sent);
    }

    public override async ValueTask DisposeAsync()
    {
        stopped = true;
        await Task.WhenAll(reading);
        await connection.DisposeAsync();
    }

    private static NameValueEntry[] Write(OrderPlaced @event)
    {
        var attributes = RawEvent.Now();
        return
        [
            new("specversion", "1.0"),
            new("id", attributes.Id),
            new("type", attributes.Type),
            new("source", attributes.Source),
            new("time", attributes.TimeText),
            new("datacontenttype", "application/json"),
            new("eventversion", 1),
            new("correlationid", attributes.Id),
            new("data", RawEvent.Write(@event)),
        ];
    }

    private async Task ReadAsync(ConnectionMultiplexer blocking, string group)
    {
        await using var ending = blocking;
        var source = blocking.GetDatabase();
        var acknowledging = Task.CompletedTask;
        while (!stopped)
        {
            // RESP3: the streams are a map of the key and its entries, each of an id and its fields.
            var reply = await source.ExecuteAsync(
                "XREADGROUP",
                "GROUP",
                group,
                "reader",
                "COUNT",
                Count,
                "BLOCK",
                BlockMilliseconds,
                "STREAMS",
                Stream,
                ">");
            if (reply.IsNull)
            {
                continue;
            }

            var entries = reply[1];
            var ids = new RedisValue[entries.Length];
            for (var i = 0; i < entries.Length; i++)
            {
                ids[i] = (RedisValue)entries[i][0];
                HandleEntry(entries[i][1]);
            }

            await acknowledging;
            acknowledging = database.StreamAcknowledgeAsync(Stream, group, ids);
        }

        await acknowledging;
    }

    private void HandleEntry(RedisResult fields)
    {
        var (id, type, source, time, @event) = (
            default(string),
            default(string),
            default(string),
            default(DateTimeOffset),
            default(OrderPlaced));
        for (var i = 0; i < fields.Length; i += 2)
        {
            var name = BytesOf(fields[i]);
            var value = (RedisValue)fields[i + 1];
            if (name.SequenceEqual("id"u8))
            {
                id = value;
            }
            else if (name.SequenceEqual("type"u8))
            {
                type = Text(fields[i + 1], RawEvent.Name);
            }
            else if (name.SequenceEqual("source"u8))
            {
                source = Text(fields[i + 1], RawEvent.Origin);
            }
            else if (name.SequenceEqual("time"u8))
            {
                time = RawEvent.ReadTime(BytesOf(fields[i + 1]));
            }
            else if (name.SequenceEqual("data"u8))
            {
                @event = RawEvent.Read(BytesOf(fields[i + 1]));
            }
        }

        var attributes = new RawEvent(id!, type!, source!, time);
        if (@event is not null && attributes.Type == RawEvent.Name)
        {
            Handle(@event);
        }
    }

    // As in the bus, texts that every event repeats are not allocated again.
    private static string Text(RedisResult value, string likely) =>
        Ascii.Equals(BytesOf(value), likely) ? likely : ((RedisValue)value).ToString();

    private static ReadOnlySpan<byte> BytesOf(RedisResult value) => ((ReadOnlyMemory<byte>)(RedisValue)value).Span;
}
