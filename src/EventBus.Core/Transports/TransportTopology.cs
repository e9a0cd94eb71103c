namespace EventBus.Transports;

/// <summary>Describes the application to a transport before the transport starts.</summary>
/// <param name="ServiceName">The application's name: the first part of the names of its queues or groups.</param>
/// <param name="Subscriptions">The subscriptions that this instance consumes.</param>
/// <param name="EventNames">
/// The event names that the application declared, published or handled, without duplicates. Wildcard subscriptions may
/// receive other names.
/// </param>
/// <param name="TimeProvider">
/// The clock for every delay and deadline. A backend with a server needs a clock that runs at the server's rate: the
/// system clock.
/// </param>
public sealed record TransportTopology(
    string ServiceName,
    IReadOnlyList<Subscription> Subscriptions,
    IReadOnlyList<string> EventNames,
    TimeProvider TimeProvider)
{
    /// <summary>
    /// True if an unreachable server is an error at start. If false, the transport starts degraded: it returns, keeps
    /// trying to connect, and reports this in <see cref="Transport.CheckHealthAsync"/>. Default false.
    /// </summary>
    public bool FailFast { get; init; }
}
