using System.Collections.Concurrent;
using Confluent.Kafka;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Provides what the parts of one receiver share.</summary>
/// <param name="subscription">The subscription.</param>
/// <param name="connector">The clients.</param>
/// <param name="names">The topics and the group.</param>
internal sealed class ReceiverContext(Subscription subscription, KafkaConnector connector, KafkaTopology names)
{
    // The number of events that the bus holds for each event that it handles at once, as on the other backends.
    private const int HeldPerHandler = 4;

    private volatile bool isStopping;

    public Subscription Subscription => subscription;

    public string Name => subscription.Name;

    public string Group { get; } = names.GroupOf(subscription.Name);

    public KafkaConnector Connector => connector;

    public KafkaOptions Options => connector.Options;

    public KafkaTopology Names => names;

    public ILogger Log => connector.Log;

    public TimeProvider Time => names.Time;

    /// <summary>
    /// The last note of this process for each partition that it has owned (<see cref="PartitionPeriods"/>).
    /// Thread-safe.
    /// </summary>
    public ConcurrentDictionary<TopicPartition, PeriodRecord> OwnPeriods { get; } = new();

    /// <summary>The number of deliveries that the bus may hold unsettled.</summary>
    public int Capacity => HeldPerHandler * subscription.Concurrency;

    /// <summary>The time for which a revocation waits for running handlers.</summary>
    public TimeSpan RevocationTimeout => Options.RevocationTimeout < Options.MaxPollInterval / 2
        ? Options.RevocationTimeout
        : Options.MaxPollInterval / 2;

    /// <summary>True when the receiver is being disposed.</summary>
    public bool IsStopping => isStopping;

    public void Stop() => isStopping = true;
}
