namespace EventBus.Stores;

/// <summary>Describes the application to the stores when they are opened.</summary>
/// <param name="ServiceName">
/// The application's name. Stores that several applications share use it to separate their entries.
/// </param>
/// <param name="TimeProvider">The clock for due times and leases.</param>
public sealed record StoreSetup(string ServiceName, TimeProvider TimeProvider)
{
    /// <summary>
    /// True if an unreachable server is an error at start. If false, opening returns, and the stores throw at each call
    /// until the server answers. Default false.
    /// </summary>
    public bool FailFast { get; init; }

    /// <summary>The subscriptions that this instance consumes. Default none.</summary>
    public IReadOnlyList<string> Subscriptions { get; init; } = [];
}
