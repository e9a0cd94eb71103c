namespace EventBus;

/// <summary>Settings of the RabbitMQ backend.</summary>
public sealed class RabbitMqOptions
{
    /// <summary>
    /// An AMQP URI: <c>amqp://user:password@host:5672/virtual-host</c>, or <c>amqps://</c> for TLS. Commas separate the
    /// nodes of a cluster: <c>amqp://user:password@node1:5672,node2:5672</c>. It is never logged. Default null: uses
    /// the connection factory or connection that the application registers.
    /// </summary>
    [AllowedText(@"(?s:.*\S.*)", "connection strings such as amqp://user:password@host:5672", AllowsNull = true)]
    public string? ConnectionString { get; set; }

    /// <summary>
    /// The durable topic exchange to which events are published. It is declared without optional arguments, so that
    /// programs in other languages can declare it too. Default <c>events</c>.
    /// </summary>
    [AllowedText(@"(?s:.*\S.*)", "names that are not blank")]
    public string Exchange { get; set; } = "events";

    /// <summary>
    /// The type of the subscription queues. Default quorum. An existing queue keeps its type: delete it before you
    /// change this setting.
    /// </summary>
    public RabbitMqQueueType QueueType { get; set; } = RabbitMqQueueType.Quorum;

    /// <summary>
    /// Defines whether exchanges, queues and bindings are created or checked at startup, after each reconnect and every
    /// 3 seconds. Default create.
    /// </summary>
    public RabbitMqProvisioning Provisioning { get; set; } = RabbitMqProvisioning.Create;

    /// <summary>
    /// The delays before a failed event is retried, used if no store keeps failures. Each delay has its own queue, and
    /// the delay that the retry policy requests is rounded to the nearest one, by their ratio. Default null: 5 s, 30 s,
    /// 2 min, 10 min and 1 h; 1 to 16 delays of 100 ms to 1 day each.
    /// </summary>
    [AllowedCount(1, 16)]
    [AllowedRange("00:00:00.1", "1.00:00:00")]
    public IList<TimeSpan>? RetrySteps { get; set; }

    /// <summary>
    /// The number of times that a quorum queue redelivers an event that is not acknowledged. After that the broker
    /// moves the event to <c>{service}.given-up</c>, from where the bus stores it as a dead letter. This stops the
    /// redelivery of an event that ends the process or the connection at each delivery. A lost connection uses up one
    /// redelivery of each unacknowledged event that was sent over it. Default 200; 1 to 1,000,000. An existing queue
    /// keeps its limit: delete it before you change this setting. Classic queues have no limit.
    /// </summary>
    [AllowedRange(1, 1_000_000)]
    public int DeliveryLimit { get; set; } = 200;

    /// <summary>
    /// The number of published events that may wait for a confirm of the broker at the same time. Default 1,000; 1 to
    /// 100,000.
    /// </summary>
    [AllowedRange(1, 100_000)]
    public int MaxUnconfirmed { get; set; } = 1_000;

    /// <summary>
    /// The timeout of one call to the broker. If no data is received during this time, the connection is closed and
    /// replaced, unless the broker blocks it. While data is received, the call continues to wait. It fails after six
    /// times the timeout, or after the simple timeout if the broker answers later calls meanwhile; the connection then
    /// stays open. Default 10 s; 100 ms to 5 min.
    /// </summary>
    [AllowedRange("00:00:00.1", "00:05:00")]
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The time without data from the broker after which a connection is closed and replaced. Default 3 s; 100 ms to 5
    /// min. The bus sends a request every second, so that a working broker always has something to answer. Every
    /// received byte counts as data, except a heartbeat without other data. Choose a time that is longer than it takes
    /// to transfer the largest published event. On an <see cref="RabbitMQ.Client.IConnection"/> of the application, the
    /// bus sees only whole answers: choose a time that is also longer than it takes to receive the largest event. A
    /// connection that the broker blocks, because it is short of memory or disk, is not checked. The first attempt to
    /// open a connection has the same timeout, which doubles after each attempt without an answer, up to
    /// <see cref="CallTimeout"/>. If the broker closes the channel of the requests, a third of this time applies to the
    /// next request, because the client may have stopped reading.
    /// </summary>
    [AllowedRange("00:00:00.1", "00:05:00")]
    public TimeSpan SilenceTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// The AMQP heartbeat interval that the bus requests from the broker. Default 10 s; 1 s to 5 min. A registered
    /// connection or factory uses its own value.
    /// </summary>
    [AllowedRange("00:00:01", "00:05:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The delays before retries: the configured ones, or the defaults.</summary>
    internal IList<TimeSpan> EffectiveRetrySteps => RetrySteps
        ?? [TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(10), TimeSpan.FromHours(1)];
}
