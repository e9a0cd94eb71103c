namespace EventBus;

/// <summary>Represents a queue from which the bus takes dead letters, and its known problem.</summary>
internal sealed class BrokerDeadLetterSource(string queue)
{
    private volatile string? problem;

    public string Queue => queue;

    /// <summary>The sentence for operators about what follows if the queue cannot be read.</summary>
    public required string IfUnread { get; init; }

    /// <summary>The sentence for operators about what follows if the queue is missing.</summary>
    public required string IfMissing { get; init; }

    /// <summary>The reason why the queue cannot be read; null if no problem is known.</summary>
    public string? Problem
    {
        get => problem;
        set => problem = value;
    }

    /// <summary>The timestamp at which the problem was found.</summary>
    public long PausedAt { get; set; }

    /// <summary>The time for which the queue is not read after a problem.</summary>
    public TimeSpan Pause { get; set; }

    /// <summary>Creates the queues from which dead letters are taken.</summary>
    /// <param name="topology">The names of the queues.</param>
    /// <param name="brokerKeepsFailures">
    /// True if no store is configured: the dead letters stay in <see cref="RabbitMqTopology.DeadLetterQueue"/>, and
    /// none is taken from it.
    /// </param>
    public static BrokerDeadLetterSource[] Create(RabbitMqTopology topology, bool brokerKeepsFailures)
    {
        var brokerQueue = new BrokerDeadLetterSource(topology.BrokerDeadLetterQueue)
        {
            IfUnread = "Events that RabbitMQ itself dead-letters stay in it, and are not kept as dead letters.",
            IfMissing = "Events that RabbitMQ itself dead-letters are lost.",
        };
        if (brokerKeepsFailures)
        {
            return [brokerQueue];
        }

        // Dead letters that were kept in the queue before a store was configured move to the store.
        var deadLetterQueue = new BrokerDeadLetterSource(topology.DeadLetterQueue)
        {
            IfUnread = "Dead letters that were kept in it before a store was configured do not move to the store.",
            IfMissing = "The bus moves the dead letters that it contains to the store, so it needs the queue even if it is empty.",
        };
        return [brokerQueue, deadLetterQueue];
    }
}
