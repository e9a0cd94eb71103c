using System.Threading.Channels;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace EventBus.Proof;

/// <summary>
/// A consumer that uses the client of Kafka directly, under the same faults as the victims. From its first record after
/// a fault the recovery of the bus is counted: what came before is the time of the client and of the broker.
/// </summary>
internal sealed class KafkaWitness(string broker, string connection) : IAsyncDisposable
{
    private const string Topic = "witness";

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly CancellationTokenSource stop = new();
    private readonly Channel<long> arrived = Channel.CreateBounded<long>(new BoundedChannelOptions(1_000)
    {
        FullMode = BoundedChannelFullMode.DropOldest,
    });

    private Task running = Task.CompletedTask;
    private long written;

    public async Task StartAsync(IAdminClient admin)
    {
        await admin.CreateTopicsAsync([new TopicSpecification { Name = Topic, NumPartitions = 1, ReplicationFactor = 1 }]);
        running = Task.WhenAll(
            WriteAsync(),
            Task.Factory.StartNew(Read, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
        using var limit = new CancellationTokenSource(Patience);
        await NextAsync(limit.Token);
    }

    /// <summary>Completes when a record has arrived that was written after the call.</summary>
    public async Task NextAsync(CancellationToken cancellationToken)
    {
        var from = Interlocked.Read(ref written);
        while (await arrived.Reader.ReadAsync(cancellationToken) <= from)
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running.WaitAsync(Patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
    }

    /// <summary>Writes a number every few milliseconds, on the broker's own port.</summary>
    private async Task WriteAsync()
    {
        using var producer = new ProducerBuilder<Null, long>(new ProducerConfig { BootstrapServers = broker, LingerMs = 0 })
            .SetLogHandler((_, _) => { })
            .Build();
        using var timer = new PeriodicTimer(Interval);
        while (!stop.IsCancellationRequested)
        {
            Write(producer);
            await timer.WaitForNextTickAsync();
        }
    }

    private void Write(IProducer<Null, long> producer)
    {
        // While the broker is away the client holds the records, and numbers are skipped when it holds many.
        try
        {
            producer.Produce(Topic, new Message<Null, long> { Value = Interlocked.Increment(ref written) });
        }
        catch (ProduceException<Null, long>)
        {
            // Its queue is full.
        }
    }

    private void Read()
    {
        var config = new ConsumerConfig
        {
            BootstrapServers = connection,
            GroupId = Topic,
            AutoOffsetReset = AutoOffsetReset.Latest,
            SocketKeepaliveEnable = true,

            // As the bus sets them by default.
            ReconnectBackoffMs = 50,
            ReconnectBackoffMaxMs = 400,
        };
        KafkaGroups.Configure(config);
        using var consumer = new ConsumerBuilder<Ignore, long>(config).SetLogHandler((_, _) => { }).Build();
        consumer.Subscribe(Topic);
        while (!stop.IsCancellationRequested)
        {
            try
            {
                if (consumer.Consume(Poll) is { } record)
                {
                    arrived.Writer.TryWrite(record.Message.Value);
                }
            }
            catch (ConsumeException)
            {
                // The next poll continues.
            }
        }

        consumer.Close();
    }
}
