using System.Text;
using RabbitMQ.Client;

namespace EventBus.Load;

/// <summary>
/// Uses RabbitMQ.Client as efficiently as possible: persistent, mandatory, with confirms pipelined and tracked here;
/// each delivery is handled on the client's loop and acknowledged individually.
/// </summary>
internal sealed class RawRabbitMq : Contender
{
    private const int Window = 1_000;
    private const ushort Prefetch = 256;
    private const string Prefix = "cloudEvents_";
    private const string Exchange = "raw";

    private readonly IConnection publishing;
    private readonly IConnection consuming;
    private readonly IChannel channel;
    private readonly SemaphoreSlim room = new(Window);
    private readonly Lock gate = new();

    // The slots of tags; more than may be outstanding.
    private readonly Unconfirmed?[] unconfirmed = new Unconfirmed?[1_024];
    private ulong last;
    private ulong oldest = 1;

    private RawRabbitMq(IConnection publishing, IConnection consuming, IChannel channel)
    {
        (this.publishing, this.consuming, this.channel) = (publishing, consuming, channel);
        channel.BasicAcksAsync += (_, ack) => Confirm(ack.DeliveryTag, ack.Multiple);
    }

    public static async Task<Contender> StartAsync(Arena arena)
    {
        var factory = new ConnectionFactory { Uri = new Uri(arena.Address), AutomaticRecoveryEnabled = false };
        var (publishing, consuming) = (await factory.CreateConnectionAsync(), await factory.CreateConnectionAsync());
        var contender = new RawRabbitMq(publishing, consuming, await publishing.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: false)));
        await contender.channel.ExchangeDeclareAsync(Exchange, ExchangeType.Topic, durable: true);
        for (var i = 0; i < arena.Subscriptions; i++)
        {
            await contender.SubscribeAsync(
                $"raw.{Arena.SubscriptionName(i)}",
                arena.Transport == Transport.RabbitMqClassic ? "classic" : "quorum");
        }

        return contender;
    }

    public override async ValueTask PublishAsync(OrderPlaced @event)
    {
        var confirm = new Unconfirmed(1);
        await SendAsync(@event, confirm);
        await confirm.Done;
    }

    public override async Task PublishManyAsync(IReadOnlyList<OrderPlaced> events)
    {
        var confirms = new Unconfirmed(events.Count);
        foreach (var @event in events)
        {
            await SendAsync(@event, confirms);
        }

        await confirms.Done;
    }

    public override async ValueTask DisposeAsync()
    {
        await publishing.DisposeAsync();
        await consuming.DisposeAsync();
        room.Dispose();
    }

    private async Task SubscribeAsync(string name, string type)
    {
        var receiving = await consuming.CreateChannelAsync(new CreateChannelOptions(
            publisherConfirmationsEnabled: false,
            publisherConfirmationTrackingEnabled: false,
            consumerDispatchConcurrency: 1));
        var queue = await receiving.QueueDeclareAsync(
            name,
            durable: true,
            exclusive: false,
            autoDelete: false,
            new Dictionary<string, object?> { ["x-queue-type"] = type });
        await receiving.QueueBindAsync(queue.QueueName, Exchange, RawEvent.Name);
        await receiving.BasicQosAsync(0, Prefetch, global: false);
        await receiving.BasicConsumeAsync(queue.QueueName, autoAck: false, new Consumer(receiving, this));
    }

    private async ValueTask SendAsync(OrderPlaced @event, Unconfirmed confirm)
    {
        var attributes = RawEvent.Now();
        var properties = new BasicProperties
        {
            Headers = new Dictionary<string, object?>
            {
                [Prefix + "specversion"] = "1.0",
                [Prefix + "id"] = attributes.Id,
                [Prefix + "type"] = attributes.Type,
                [Prefix + "source"] = attributes.Source,
                [Prefix + "time"] = attributes.TimeText,
            },
            Persistent = true,
            MessageId = attributes.Id,
            ContentType = "application/json",
            Timestamp = new AmqpTimestamp(attributes.Time.ToUnixTimeSeconds()),
        };
        var body = RawEvent.Write(@event);
        await room.WaitAsync();
        ValueTask writing;
        lock (gate)
        {
            // Calls are written in the order in which they begin, so the tags match those of the broker.
            unconfirmed[++last % (ulong)unconfirmed.Length] = confirm;
            writing = channel.BasicPublishAsync(Exchange, RawEvent.Name, mandatory: true, properties, body);
        }

        await writing;
    }

    private Task Confirm(ulong tag, bool multiple)
    {
        var confirmed = 0;
        lock (gate)
        {
            for (var next = multiple ? oldest : tag; next <= tag; next++)
            {
                ref var place = ref unconfirmed[next % (ulong)unconfirmed.Length];
                if (place is { } waiting)
                {
                    place = null;
                    confirmed++;
                    waiting.Confirm();
                }
            }

            while (oldest <= last && unconfirmed[oldest % (ulong)unconfirmed.Length] is null)
            {
                oldest++;
            }
        }

        room.Release(confirmed);
        return Task.CompletedTask;
    }

    /// <summary>Publishes that wait together.</summary>
    private sealed class Unconfirmed(int count)
    {
        private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int remaining = count;

        public Task Done => done.Task;

        public void Confirm()
        {
            if (--remaining == 0)
            {
                done.SetResult();
            }
        }
    }

    private sealed class Consumer(IChannel channel, RawRabbitMq owner) : AsyncDefaultBasicConsumer(channel)
    {
        public override async Task HandleBasicDeliverAsync(
            string consumerTag,
            ulong deliveryTag,
            bool redelivered,
            string exchange,
            string routingKey,
            IReadOnlyBasicProperties properties,
            ReadOnlyMemory<byte> body,
            CancellationToken cancellationToken = default)
        {
            var copy = body.ToArray();
            var attributes = Read(properties);
            if (RawEvent.Read(copy) is { } @event && attributes.Type == RawEvent.Name)
            {
                owner.Handle(@event);
            }

            await Channel.BasicAckAsync(deliveryTag, multiple: false, CancellationToken.None);
        }

        private static RawEvent Read(IReadOnlyBasicProperties properties)
        {
            var headers = properties.Headers!;

            // As in the bus, equal texts are not allocated again.
            return new RawEvent(
                Text(Prefix + "id", properties.MessageId!),
                Text(Prefix + "type", RawEvent.Name),
                Text(Prefix + "source", RawEvent.Origin),
                RawEvent.ReadTime((byte[])headers[Prefix + "time"]!));

            string Text(string name, string likely) =>
                (byte[])headers[name]! is var bytes && Ascii.Equals(bytes, likely) ? likely : Encoding.UTF8.GetString(bytes);
        }
    }
}
