namespace EventBus.Transports;

/// <summary>What a backend can do. The bus refuses at start what the backend and its stores cannot give, and the conformance suite skips, with the reason, what is ruled out here.</summary>
public sealed record TransportFeatures
{
    /// <summary>The name for logs, traces and health, for instance <c>rabbitmq</c>: the value of <c>messaging.system</c> in the OpenTelemetry conventions.</summary>
    public required string System { get; init; }

    /// <summary>Accepted events survive the end of the process. When false, the bus handles what is queued before it stops, within its budget; that needs <see cref="CountsWork"/>. Default false.</summary>
    public bool Durable { get; init; }

    /// <summary>Each subscription receives the events of one first word in the order in which they were accepted. Default false.</summary>
    public bool Ordered { get; init; }

    /// <summary>What is released, or never settled, is delivered again. Default false.</summary>
    public bool Redelivers { get; init; }

    /// <summary>Instances of one service share a subscription's events. Default false.</summary>
    public bool SharesSubscriptions { get; init; }

    /// <summary>Events leave the process as bytes, so every event type needs JSON type information. Default true.</summary>
    public bool Serializes { get; init; } = true;

    /// <summary>The transport tells when nobody listens (<see cref="PublishOutcome.Unrouted"/>). Default false.</summary>
    public bool ReportsUnrouted { get; init; }

    /// <summary><see cref="Transport.Work"/> is counted, so that waiting for idleness is possible. Default false.</summary>
    public bool CountsWork { get; init; }

    /// <summary>The broker may give events up by itself, for their age or a limit, and the transport hands them over (<see cref="Transport.TakeGivenUpAsync"/>). Default false.</summary>
    public bool GivesUp { get; init; }

    /// <summary>What the backend keeps for a subscription outlives it, and cannot be listed: the bus remembers the names in its stores and asks for each (<see cref="Transport.FindKeptAsync"/>). Default false.</summary>
    public bool KeepsUnlisted { get; init; }

    /// <summary>The largest body in bytes that the backend takes. Default: no limit of its own.</summary>
    public long MaxBodyBytes { get; init; } = long.MaxValue;
}
