using System.Globalization;
using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Creates the settings of the clients: those of the application, and over them those that the promises of the bus
/// need. They contain secrets, and are never logged.
/// </summary>
internal sealed class KafkaClientSettings
{
    // A record that could not be sent is given up after this time. It is longer than the deadline of most publishes, so
    // that the client repeats a send in order meanwhile.
    private static readonly TimeSpan MinMessageTimeout = TimeSpan.FromSeconds(30);

    // A request without an answer for this time ends its connection: the time in which a connection that died without
    // an error is noticed. The client's own default is 60 s.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(20);

    // The broker holds a fetch for half a second, and the client wants a second more than that.
    private const int MinSocketTimeout = 2_000;

    private readonly KafkaOptions options;
    private readonly IReadOnlyDictionary<string, string> registered;
    private readonly string? bootstrapServers;

    /// <summary>Creates the settings.</summary>
    /// <param name="options">The options.</param>
    /// <param name="registered">The settings that the application registers; null for none.</param>
    /// <exception cref="ArgumentException">The connection string is invalid.</exception>
    public KafkaClientSettings(KafkaOptions options, ClientConfig? registered = null)
    {
        this.options = options;
        this.registered = (registered ?? []).ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
        bootstrapServers = options.ConnectionString is { } text ? KafkaConnectionString.Parse(text) : null;
        Address = Common(Silence).BootstrapServers ?? "";
    }

    public KafkaOptions Options => options;

    /// <summary>The addresses of the brokers, for errors; empty if there are none.</summary>
    public string Address { get; }

    /// <summary>Creates the settings of the administration client.</summary>
    // A call is abandoned at its deadline. Then its connection is given up too: the next call would wait on it as well.
    public AdminClientConfig ForAdmin() => new(Common(Shorter(Silence, options.CallTimeout)));

    /// <summary>Creates the settings of the producer.</summary>
    public ProducerConfig ForProducer() => new(Common(Silence))
    {
        EnableIdempotence = true,
        Acks = Acks.All,
        Partitioner = Partitioner.Murmur2Random,
        LingerMs = options.Linger.TotalMilliseconds,
        MessageTimeoutMs = (int)MinMessageTimeout.TotalMilliseconds,
        MessageMaxBytes = options.MaxRecordBytes,

        // The bus has its own limits, which are lower.
        QueueBufferingMaxMessages = options.MaxUnconfirmed + 1_000,
        QueueBufferingMaxKbytes = (options.MaxUnconfirmedBytes / 1_024) + (2 * options.MaxRecordBytes / 1_024) + 1_024,
        EnableDeliveryReports = true,
        DeliveryReportFields = "status",
    };

    /// <summary>Creates the settings of the consumer of a group.</summary>
    /// <param name="group">The group.</param>
    /// <param name="concurrency">The number of events that are handled at once.</param>
    public ConsumerConfig ForConsumer(string group, int concurrency)
    {
        var maxPoll = options.MaxPollInterval > options.SessionTimeout ? options.MaxPollInterval : options.SessionTimeout;
        // Shorter than the session, so that a connection that died does not cost the membership.
        var config = new ConsumerConfig(Common(Shorter(Silence, options.SessionTimeout * 2 / 3)))
        {
            GroupId = group,
            EnableAutoCommit = true,
            AutoCommitIntervalMs = 500,
            EnableAutoOffsetStore = false,
            AutoOffsetReset = AutoOffsetReset.Error,
            EnablePartitionEof = true,
            IsolationLevel = IsolationLevel.ReadCommitted,
            MaxPollIntervalMs = Milliseconds(maxPoll),
            FetchQueueBackoffMs = 10,
            QueuedMinMessages = Math.Clamp(4 * concurrency, 64, 100_000),
            QueuedMaxMessagesKbytes = Math.Max(8 * 1_024, 2 * options.MaxRecordBytes / 1_024),
            ConsumeResultFields = "headers,timestamp,topic",
        };
        if (options.GroupProtocol == KafkaGroupProtocol.Consumer)
        {
            config.GroupProtocol = GroupProtocol.Consumer;
            return config;
        }

        config.GroupProtocol = GroupProtocol.Classic;
        config.SessionTimeoutMs = Milliseconds(options.SessionTimeout);
        config.HeartbeatIntervalMs = Math.Max(Milliseconds(options.SessionTimeout) / 10, 100);
        config.PartitionAssignmentStrategy = options.Assignor == KafkaAssignor.Range
            ? PartitionAssignmentStrategy.Range
            : PartitionAssignmentStrategy.CooperativeSticky;
        return config;
    }

    private static int Milliseconds(TimeSpan time) => (int)Math.Min(time.TotalMilliseconds, int.MaxValue);

    private static TimeSpan Shorter(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private ClientConfig Common(TimeSpan silence)
    {
        var config = new ClientConfig(registered.ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal));
        if (bootstrapServers is not null)
        {
            config.BootstrapServers = bootstrapServers;
        }

        // Defaults that the application may change.
        config.SocketKeepaliveEnable ??= true;
        config.SocketTimeoutMs ??= Math.Max(Milliseconds(silence), MinSocketTimeout);
        config.ReconnectBackoffMs ??= 50;
        config.ReconnectBackoffMaxMs ??= 400;
        config.TopicMetadataRefreshIntervalMs ??= Milliseconds(TimeSpan.FromMinutes(1));
        config.EnableMetricsPush ??= false;
        config.ClientId ??= string.Create(CultureInfo.InvariantCulture, $"eventbus-{Environment.ProcessId}");
        options.ChangeClient(config);
        config.AllowAutoCreateTopics = false;
        return config;
    }
}
