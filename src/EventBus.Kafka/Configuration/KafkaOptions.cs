using Confluent.Kafka;

namespace EventBus;

/// <summary>Settings of the Kafka backend.</summary>
public sealed class KafkaOptions
{
    private readonly List<Action<ClientConfig>> clientChanges = [];
    private readonly Dictionary<string, KafkaTopicReader> readers = new(StringComparer.Ordinal);
    private readonly Dictionary<TopicPartition, long> offsets = [];

    /// <summary>
    /// The addresses of some brokers: <c>localhost:9092</c>, or <c>host1:9092,host2:9092</c>. It has no user and no
    /// password: set these with <see cref="ConfigureClient"/>. Default null: the
    /// <see cref="Confluent.Kafka.ClientConfig"/> that the application registers.
    /// </summary>
    [AllowedText(@"(?s:.*\S.*)", "addresses such as localhost:9092", AllowsNull = true)]
    public string? ConnectionString { get; set; }

    /// <summary>
    /// The name of the topic of a first word. Events that match <c>order.#</c> are in the topic <c>order-events</c>.
    /// Default <c>{word}-events</c>; <c>{word}</c> once, with at most 50 letters, digits, hyphens, underscores and dots
    /// on each side.
    /// </summary>
    [AllowedPattern(
        @"[A-Za-z0-9._-]{0,50}\{word\}[A-Za-z0-9._-]{0,50}",
        "{word} once, with at most 50 letters, digits, hyphens, underscores and dots on each side,")]
    public string TopicFormat { get; set; } = "{word}-events";

    /// <summary>
    /// The topics of single first words, instead of <see cref="TopicFormat"/>: the key is the first word, the value the
    /// name of its topic. Several words may have the same topic. Default none.
    /// </summary>
    public IDictionary<string, string> Topics { get; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Defines whether topics are created or checked at startup. Default create.</summary>
    public KafkaProvisioning Provisioning { get; set; } = KafkaProvisioning.Create;

    /// <summary>
    /// The number of partitions of a topic. At most so many instances receive the events of a topic at the same time.
    /// The key of an event selects its partition: partitions that are added to a topic later break the order of its
    /// keys. If it is set, a topic of an ordered subscription that exists with fewer partitions is an error at the
    /// start, and any other such topic a warning. Default null: the bus creates topics with 6 partitions, and accepts
    /// any number in a topic that exists; 1 to 10,000.
    /// </summary>
    [AllowedRange(1, 10_000)]
    public int? Partitions { get; set; }

    /// <summary>
    /// The number of brokers that keep a copy of a topic that the bus creates. Default null: the setting of the broker
    /// (<c>default.replication.factor</c>). 1 to 100.
    /// </summary>
    [AllowedRange(1, 100)]
    public int? ReplicationFactor { get; set; }

    /// <summary>
    /// The time for which a topic that the bus creates keeps its events, handled or not. Default null: the setting of
    /// the broker, usually 7 days. 1 min to 3,650 days.
    /// </summary>
    [AllowedRange("00:01:00", "3650.00:00:00")]
    public TimeSpan? Retention { get; set; }

    /// <summary>
    /// True if a new subscription begins with the oldest events of its topics, false if it begins with the events
    /// published after its start. Has no effect on a subscription whose consumer group has positions. Default false.
    /// </summary>
    public bool FromBeginning { get; set; }

    /// <summary>
    /// The time at which a new subscription begins: with the first event that a topic received at it or later, by the
    /// time of its record. A time in the future, and one after the last event of a topic, is its end. If both are set,
    /// this one counts and not <see cref="FromBeginning"/>. Has no effect on a subscription whose consumer group has
    /// positions. Default null.
    /// </summary>
    public DateTimeOffset? FromTime { get; set; }

    /// <summary>
    /// The protocol of the consumer groups. Default classic. All instances of a service need the same one.
    /// </summary>
    public KafkaGroupProtocol GroupProtocol { get; set; } = KafkaGroupProtocol.Classic;

    /// <summary>The assignor of the classic protocol. Default cooperative sticky.</summary>
    public KafkaAssignor Assignor { get; set; } = KafkaAssignor.CooperativeSticky;

    /// <summary>
    /// The timeout of one call to the cluster: of administration, and of the first connection. Default 10 s; 100 ms to
    /// 5 min.
    /// </summary>
    [AllowedRange("00:00:00.1", "00:05:00")]
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The time for which a published event waits for others, to be sent together. Events that are published at the
    /// same time are sent together anyway. Default 0; 0 to 1 s.
    /// </summary>
    [AllowedRange("00:00:00", "00:00:01")]
    public TimeSpan Linger { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// The number of published events that may wait for the answer of the cluster at the same time. Default 10,000; 1
    /// to 100,000.
    /// </summary>
    [AllowedRange(1, 100_000)]
    public int MaxUnconfirmed { get; set; } = 10_000;

    /// <summary>
    /// The size in bytes of the published events that may wait for the answer of the cluster at the same time. Default
    /// 33,554,432; 65,536 to 1,073,741,824.
    /// </summary>
    [AllowedRange(65_536, 1_073_741_824)]
    public int MaxUnconfirmedBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>
    /// The size in bytes of the largest record, with its key and its headers. The topics must allow it too
    /// (<c>max.message.bytes</c>). Default 1,000,000; 65,536 to 100,000,000.
    /// </summary>
    [AllowedRange(65_536, 100_000_000)]
    public int MaxRecordBytes { get; set; } = 1_000_000;

    /// <summary>
    /// The time after which the cluster gives the partitions of an instance that does not respond to others. Applies to
    /// the classic protocol; for the other one it is a setting of the broker. Default 45 s; 1 s to 30 min.
    /// </summary>
    [AllowedRange("00:00:01", "00:30:00")]
    public TimeSpan SessionTimeout { get; set; } = TimeSpan.FromSeconds(45);

    /// <summary>
    /// The time after which an instance whose threads do not run loses its partitions. A handler that runs longer does
    /// not matter. Default 5 min; 1 s to 1 day. At least <see cref="SessionTimeout"/> is used.
    /// </summary>
    [AllowedRange("00:00:01", "1.00:00:00")]
    public TimeSpan MaxPollInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// The time for which an instance that has to give up a partition waits for the handlers that still run for it. At
    /// most half of <see cref="MaxPollInterval"/> is used. Default 10 s; 0 to 5 min.
    /// </summary>
    [AllowedRange("00:00:00", "00:05:00")]
    public TimeSpan RevocationTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The number of events of a partition that may have been read behind the oldest one that is not handled. At this
    /// number, the partition is not read until that event is handled. Default 10,000; 100 to 1,000,000.
    /// </summary>
    [AllowedRange(100, 1_000_000)]
    public int MaxUncommitted { get; set; } = 10_000;

    /// <summary>
    /// The interval at which subscriptions with a pattern that begins with a wildcard look for new topics. Default 30
    /// s; 100 ms to 1 day.
    /// </summary>
    [AllowedRange("00:00:00.1", "1.00:00:00")]
    public TimeSpan DiscoveryPeriod { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Changes the settings of the client before a producer, consumer or administration client is created: TLS, SASL
    /// and everything else that this class does not have. The settings that the delivery promises need are set
    /// afterwards. They are never logged.
    /// </summary>
    /// <param name="change">Changes the settings. Runs once for each client.</param>
    public KafkaOptions ConfigureClient(Action<ClientConfig> change)
    {
        ArgumentNullException.ThrowIfNull(change);
        clientChanges.Add(change);
        return this;
    }

    /// <summary>
    /// Describes a topic of other programs whose records have no event name: how the bus finds the name. Subscriptions
    /// to the words of the topic (<see cref="Topics"/>, <see cref="TopicFormat"/>) read it, and those to any name of
    /// <see cref="KafkaTopicReader.Named"/>.
    /// </summary>
    /// <param name="topic">The name of the topic.</param>
    public KafkaTopicReader FromTopic(string topic)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(topic);
        if (!readers.TryGetValue(topic, out var reader))
        {
            reader = new KafkaTopicReader(this, topic);
            readers.Add(topic, reader);
        }

        return reader;
    }

    /// <summary>
    /// Begins a new subscription in one partition with the record at an offset. Other partitions begin where
    /// <see cref="FromBeginning"/> and <see cref="FromTime"/> say. Behind the end of the partition, it begins at the
    /// end. Has no effect on a subscription whose consumer group has positions.
    /// </summary>
    /// <param name="topic">The name of the topic.</param>
    /// <param name="partition">The number of the partition, 0 or more.</param>
    /// <param name="offset">The offset of the first record, 0 or more.</param>
    public KafkaOptions FromOffset(string topic, int partition, long offset)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(topic);
        ArgumentOutOfRangeException.ThrowIfNegative(partition);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        offsets[new TopicPartition(topic, partition)] = offset;
        return this;
    }

    /// <summary>Applies the changes of the client's settings, in the order of the calls.</summary>
    internal void ChangeClient(ClientConfig config)
    {
        foreach (var change in clientChanges)
        {
            change(config);
        }
    }

    /// <summary>Gets the description of the topic of another program; null for none.</summary>
    internal KafkaTopicReader? FindReader(string topic) => readers.GetValueOrDefault(topic);

    /// <summary>Gets the partitions that begin at an offset.</summary>
    internal IReadOnlyDictionary<TopicPartition, long> GetOffsets() => offsets;

    /// <summary>Gets the descriptions of all topics of other programs.</summary>
    internal IEnumerable<KafkaTopicReader> GetReaders() => readers.Values;
}
