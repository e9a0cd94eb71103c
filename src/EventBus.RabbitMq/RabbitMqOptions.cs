namespace EventBus;

/// <summary>Settings of the RabbitMQ backend.</summary>
public sealed class RabbitMqOptions
{
    /// <summary>The durable topic exchange that events go to, declared without arguments. Default <c>events</c>.</summary>
    public string Exchange { get; set; } = "events";

    /// <summary>How many published events may wait for the broker's confirm at once. Default 1,000; 1 to 100,000.</summary>
    public int MaxUnconfirmed { get; set; } = 1_000;

    /// <summary>How long one call to the broker may take before its connection is given up and replaced. Default 10 s; 100 ms to 5 min.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often the broker and this side show each other that they live. Default 10 s; 1 s to 5 min.</summary>
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(10);
}
