namespace EventBus;

/// <summary>Settings of the RabbitMQ backend.</summary>
public sealed class RabbitMqOptions
{
    /// <summary>The durable topic exchange that events go to, declared without arguments. Default <c>events</c>.</summary>
    public string Exchange { get; set; } = "events";

    /// <summary>The kind of the subscriptions' queues. A queue that exists keeps its kind: changing this asks for deleting it first. Default quorum.</summary>
    public RabbitMqQueueType QueueType { get; set; } = RabbitMqQueueType.Quorum;

    /// <summary>What happens to exchanges, queues and bindings at the start and after each reconnect. Default create.</summary>
    public RabbitMqProvisioning Provisioning { get; set; } = RabbitMqProvisioning.Create;

    /// <summary>
    /// The waits before a failed event is started again, where no store keeps failures: each is a queue, and the delay that the retry policy asks for is rounded to the nearest. Default 5 s, 30 s,
    /// 2 min, 10 min and 1 h; 1 to 16, of 100 ms to 1 day each.
    /// </summary>
    public IList<TimeSpan> RetrySteps { get; set; } = [TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(10), TimeSpan.FromHours(1)];

    /// <summary>
    /// How often a quorum queue hands out an event that is not acknowledged, before the broker itself moves it to <c>{service}.given-up</c>, from where the bus keeps it as a dead letter: what ends the process or the connection at each delivery does not do so for
    /// ever. Each lost connection counts for all that it had been sent. Default 200; 1 to 1,000,000. A queue that exists keeps its limit: changing this asks for deleting it first. Classic queues have no limit.
    /// </summary>
    public int DeliveryLimit { get; set; } = 200;

    /// <summary>How many published events may wait for the broker's confirm at once. Default 1,000; 1 to 100,000.</summary>
    public int MaxUnconfirmed { get; set; } = 1_000;

    /// <summary>How long one call to the broker may take, without any sign of life meanwhile, before its connection is given up and replaced. While there are signs of life, a call fails alone after six times as long. Default 10 s; 100 ms to 5 min.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>After how long without any sign of life, which is asked for every second, a connection is given up and replaced. Every byte that comes is a sign of life. Must be longer than the largest event that is published takes on the wire, and on an <see cref="RabbitMQ.Client.IConnection"/> of the application's, whose bytes the bus does not see, than any event. Default 3 s; 100 ms to 5 min. A connection that the broker blocks, because it is short of memory, is not asked. An opening is given as long at first, and twice as long after each that had no answer, up to <see cref="CallTimeout"/>.</summary>
    public TimeSpan SilenceTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How often the broker and this side show each other that they live. Default 10 s; 1 s to 5 min. A registered connection or factory has its own.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(10);
}
