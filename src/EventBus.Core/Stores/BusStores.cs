namespace EventBus.Stores;

/// <summary>The stores that a package offers. What is null it does not have; asking for it is a start-up error that names a package which does.</summary>
public sealed class BusStores
{
    /// <summary>The package's name for logs and errors, for instance <c>in memory</c>.</summary>
    public required string Name { get; init; }

    /// <summary>What it keeps survives the end of the process. Default true.</summary>
    public bool Durable { get; init; } = true;

    /// <summary>Retries, dead letters, and events parked behind a failed key.</summary>
    public FailureStore? Failures { get; init; }

    /// <summary>Events that wait for a time.</summary>
    public DelayStore? Delays { get; init; }
}
