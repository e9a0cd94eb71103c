using System.Diagnostics;
using Confluent.Kafka;

namespace EventBus.Load;

/// <summary>
/// Consumes a topic for a group on a thread of its own. Each record is handled before the next is read, so the position
/// behind the last one has no gap.
/// </summary>
internal sealed class RawKafkaConsumer
{
    // As in the bus.
    private static readonly TimeSpan StorePeriod = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);

    private readonly Action<ConsumeResult<Ignore, byte[]>> handle;
    private readonly IConsumer<Ignore, byte[]> consumer;
    private readonly TaskCompletionSource started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<TopicPartition, TopicPartitionOffset> moved = [];
    private readonly Task running;
    private volatile bool stopped;

    /// <param name="address">The address of the broker.</param>
    /// <param name="topic">The topic.</param>
    /// <param name="group">The group.</param>
    /// <param name="handle">Handles a record.</param>
    public RawKafkaConsumer(string address, string topic, string group, Action<ConsumeResult<Ignore, byte[]>> handle)
    {
        this.handle = handle;
        consumer = new ConsumerBuilder<Ignore, byte[]>(new ConsumerConfig
        {
            BootstrapServers = address,
            GroupId = group,
            EnableAutoCommit = true,
            AutoCommitIntervalMs = 500,
            EnableAutoOffsetStore = false,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            IsolationLevel = IsolationLevel.ReadCommitted,
            PartitionAssignmentStrategy = PartitionAssignmentStrategy.CooperativeSticky,
            ConsumeResultFields = "headers,timestamp,topic",
        }).SetLogHandler((_, _) => { }).SetPartitionsAssignedHandler((_, partitions) =>
        {
            if (partitions.Count > 0)
            {
                started.TrySetResult();
            }
        }).Build();
        consumer.Subscribe(topic);
        running = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>Completes when it has partitions.</summary>
    public Task Started => started.Task;

    public Task StopAsync()
    {
        stopped = true;
        return running;
    }

    private void Run()
    {
        var storedAt = Stopwatch.GetTimestamp();
        var (partition, next) = (default(TopicPartition), 0L);
        while (!stopped)
        {
            if (consumer.Consume(Poll) is { } record)
            {
                handle(record);
                (partition, next) = Remember(record, partition, next);
            }

            if (Stopwatch.GetElapsedTime(storedAt) >= StorePeriod)
            {
                storedAt = Stopwatch.GetTimestamp();
                (partition, next) = Store(partition, next);
            }
        }

        Store(partition, next);
        consumer.Close();
        consumer.Dispose();
    }

    /// <summary>
    /// Remembers the position behind a record. Records of one partition follow each other in batches.
    /// </summary>
    private (TopicPartition? Partition, long Next) Remember(ConsumeResult<Ignore, byte[]> record, TopicPartition? partition, long next)
    {
        if (partition is not null && (partition.Partition != record.Partition || partition.Topic != record.Topic))
        {
            moved[partition] = new TopicPartitionOffset(partition, next);
            partition = null;
        }

        return (partition ?? record.TopicPartition, record.Offset.Value + 1);
    }

    private (TopicPartition? Partition, long Next) Store(TopicPartition? partition, long next)
    {
        if (partition is not null)
        {
            moved[partition] = new TopicPartitionOffset(partition, next);
        }

        foreach (var position in moved.Values)
        {
            consumer.StoreOffset(position);
        }

        moved.Clear();
        return (null, 0);
    }
}
