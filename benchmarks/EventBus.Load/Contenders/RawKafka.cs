using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus.Load;

/// <summary>
/// Uses Confluent.Kafka as efficiently as possible: an idempotent producer with one callback for a list, and a consumer
/// with its own thread for each subscription, which handles each record itself and stores positions behind what it has
/// handled, ten times a second.
/// </summary>
internal sealed class RawKafka : Contender
{
    private const string Topic = "raw-order";
    private const string Prefix = "ce_";
    private const string Json = "application/json";

    // As many as the bus has unanswered by default.
    private const int Window = 10_000;

    private static readonly Header SpecVersion = new(Prefix + "specversion", "1.0"u8.ToArray());
    private static readonly Header Type = new(Prefix + "type", Encoding.UTF8.GetBytes(RawEvent.Name));
    private static readonly Header Source = new(Prefix + "source", Encoding.UTF8.GetBytes(RawEvent.Origin));
    private static readonly Header ContentType = new("content-type", Encoding.UTF8.GetBytes(Json));

    private readonly IProducer<Null, byte[]> producer;
    private readonly List<RawKafkaConsumer> consumers = [];
    private readonly SemaphoreSlim room = new(Window);

    private RawKafka(Arena arena) => producer = new ProducerBuilder<Null, byte[]>(new ProducerConfig
    {
        BootstrapServers = arena.Address,
        EnableIdempotence = true,
        Acks = Acks.All,
        Partitioner = Partitioner.Murmur2Random,
        LingerMs = 0,
        QueueBufferingMaxMessages = Window + 1_000,
        DeliveryReportFields = "status",
    }).SetLogHandler((_, _) => { }).Build();

    public static async Task<Contender> StartAsync(Arena arena)
    {
        using (var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = arena.Address }).Build())
        {
            try
            {
                await admin.CreateTopicsAsync([new TopicSpecification { Name = Topic, NumPartitions = arena.CreatedPartitions }]);
            }
            catch (CreateTopicsException exception) when (exception.Results[0].Error.Code == ErrorCode.TopicAlreadyExists)
            {
                // A second process of this contender, for a profile.
            }
        }

        var contender = new RawKafka(arena);
        for (var i = 0; i < arena.Subscriptions; i++)
        {
            contender.consumers.Add(new RawKafkaConsumer(arena.Address, Topic, $"raw.{Arena.SubscriptionName(i)}", contender.HandleRecord));
        }

        await Task.WhenAll(contender.consumers.Select(consumer => consumer.Started));
        return contender;
    }

    public override ValueTask PublishAsync(OrderPlaced @event)
    {
        var sent = new Sent(1, room: null);
        Send(@event, sent.Report);
        return new ValueTask(sent.Done);
    }

    public override async Task PublishManyAsync(IReadOnlyList<OrderPlaced> events)
    {
        var sent = new Sent(events.Count, room);
        Action<DeliveryReport<Null, byte[]>> report = sent.Report;
        foreach (var @event in events)
        {
            await room.WaitAsync();
            Send(@event, report);
        }

        await sent.Done;
    }

    public override async ValueTask DisposeAsync()
    {
        await Task.WhenAll(consumers.Select(consumer => consumer.StopAsync()));
        producer.Dispose();
        room.Dispose();
    }

    private void Send(OrderPlaced @event, Action<DeliveryReport<Null, byte[]>> report) => producer.Produce(Topic, Write(@event), report);

    private static Message<Null, byte[]> Write(OrderPlaced @event)
    {
        var attributes = RawEvent.Now();
        var time = Encoding.ASCII.GetBytes(attributes.TimeText);
        return new Message<Null, byte[]>
        {
            Headers = [SpecVersion, new Header(Prefix + "id", Encoding.ASCII.GetBytes(attributes.Id)), Type, Source,
                new Header(Prefix + "time", time), ContentType],
            Value = RawEvent.Write(@event),
        };
    }

    private void HandleRecord(ConsumeResult<Ignore, byte[]> record)
    {
        var (id, type, source, time) = (default(string), default(string), default(string), default(DateTimeOffset));
        var headers = record.Message.Headers;
        for (var i = 0; i < headers.Count; i++)
        {
            var header = headers[i];
            switch (header.Key)
            {
                case Prefix + "id":
                    id = Encoding.UTF8.GetString(header.GetValueBytes());
                    break;
                case Prefix + "type":
                    type = Text(header.GetValueBytes(), RawEvent.Name);
                    break;
                case Prefix + "source":
                    source = Text(header.GetValueBytes(), RawEvent.Origin);
                    break;
                case Prefix + "time":
                    time = RawEvent.ReadTime(header.GetValueBytes());
                    break;
                default:
                    break;
            }
        }

        var attributes = new RawEvent(id!, type!, source!, time);
        if (RawEvent.Read(record.Message.Value) is { } @event && attributes.Type == RawEvent.Name)
        {
            Handle(@event);
        }
    }

    // As in the bus, texts that every event repeats are not allocated again.
    private static string Text(byte[] value, string likely) => Ascii.Equals(value, likely) ? likely : Encoding.UTF8.GetString(value);

    /// <summary>Records that wait together for their reports.</summary>
    private sealed class Sent(int count, SemaphoreSlim? room)
    {
        private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int remaining = count;

        public Task Done => done.Task;

        /// <summary>Receives a report, on the one thread of the producer for reports.</summary>
        public void Report(DeliveryReport<Null, byte[]> report)
        {
            room?.Release();
            if (report.Status != PersistenceStatus.Persisted)
            {
                done.TrySetException(new KafkaException(report.Error));
            }
            else if (--remaining == 0)
            {
                done.TrySetResult();
            }
        }
    }
}
