namespace EventBus.Transports;

/// <summary>All that a transport has to know about the application before it starts.</summary>
/// <param name="ServiceName">The application's name: the first part of the names of its queues or groups.</param>
/// <param name="Subscriptions">The subscriptions that this instance consumes.</param>
/// <param name="EventNames">The event names that the application declared, published or handled, without duplicates. Others may still arrive for a wildcard.</param>
/// <param name="TimeProvider">The clock for every delay and deadline. A backend with a server needs one that keeps the server's pace: the system's.</param>
public sealed record TransportTopology(string ServiceName, IReadOnlyList<Subscription> Subscriptions, IReadOnlyList<string> EventNames, TimeProvider TimeProvider)
{
    /// <summary>A server that is out of reach is an error at the start. Otherwise the transport starts degraded: it returns, keeps trying, and says so in <see cref="Transport.CheckHealthAsync"/>. Default false.</summary>
    public bool FailFast { get; init; }
}
