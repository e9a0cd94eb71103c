namespace EventBus.Transports;

/// <summary>
/// Describes the capabilities of a backend. The bus refuses to start if the backend and its stores lack a required
/// capability. The conformance suite skips scenarios that a value here rules out, and reports the reason.
/// </summary>
public sealed record TransportFeatures
{
    /// <summary>
    /// The name for logs, traces and health, for instance <c>rabbitmq</c>: the value of <c>messaging.system</c> in the
    /// OpenTelemetry conventions.
    /// </summary>
    public required string System { get; init; }

    /// <summary>
    /// True if accepted events survive the end of the process. If false, the bus handles all queued events before it
    /// stops, within its stop timeout; this requires <see cref="CountsWork"/>. Default false.
    /// </summary>
    public bool Durable { get; init; }

    /// <summary>
    /// True if each subscription receives the events of a key whose names have the same first word in the order in
    /// which they were accepted. Events of other keys may overtake them. Default false.
    /// </summary>
    public bool Ordered { get; init; }

    /// <summary>True if released and unsettled events are redelivered. Default false.</summary>
    public bool Redelivers { get; init; }

    /// <summary>
    /// True if the backend remembers a position in its log instead of each acknowledgement. When an instance ends,
    /// events behind the first unsettled one are delivered again although they were acknowledged. Default false.
    /// </summary>
    public bool RemembersPositions { get; init; }

    /// <summary>True if instances of one service share the events of a subscription. Default false.</summary>
    public bool SharesSubscriptions { get; init; }

    /// <summary>
    /// True if subscriptions receive events as bytes, so that every event type needs JSON type information. Default
    /// true.
    /// </summary>
    public bool Serializes { get; init; } = true;

    /// <summary>
    /// True if the transport reports that no subscription receives an event (<see cref="PublishOutcome.Unrouted"/>).
    /// Default false.
    /// </summary>
    public bool ReportsUnrouted { get; init; }

    /// <summary>
    /// True if the transport counts <see cref="Transport.Work"/>, so that the bus can wait until it is idle. Default
    /// false.
    /// </summary>
    public bool CountsWork { get; init; }

    /// <summary>
    /// True if the broker may drop events by itself, for their age or a limit, and the transport returns them
    /// (<see cref="Transport.TakeBrokerDeadLetterAsync"/>). Default false.
    /// </summary>
    public bool DropsEvents { get; init; }

    /// <summary>
    /// True if the queue of a subscription outlives the subscription, and the backend cannot list its queues. The bus
    /// then stores the names of its subscriptions and looks for each queue (<see cref="Transport.FindQueueAsync"/>).
    /// Default false.
    /// </summary>
    public bool KeepsUnlistedQueues { get; init; }

    /// <summary>
    /// True if the transport reads how many events wait for its subscriptions
    /// (<see cref="Transport.ReadBacklogAsync"/>). Default false.
    /// </summary>
    public bool KnowsBacklog { get; init; }

    /// <summary>
    /// True if the backend keeps events that were handled, and can deliver them to a subscription again
    /// (<see cref="Transport.ReplayAsync"/>). Default false.
    /// </summary>
    public bool Replays { get; init; }

    /// <summary>The largest body in bytes that the backend accepts. Default: no limit.</summary>
    public long MaxBodyBytes { get; init; } = long.MaxValue;
}
