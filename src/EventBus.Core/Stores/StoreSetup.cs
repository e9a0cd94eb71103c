namespace EventBus.Stores;

/// <summary>What stores are opened for.</summary>
/// <param name="ServiceName">The application's name. Stores that several applications share keep its entries apart by it.</param>
/// <param name="Time">The clock of everything that waits.</param>
public sealed record StoreSetup(string ServiceName, TimeProvider Time)
{
    /// <summary>A server that is out of reach is an error at the start. Otherwise opening returns, and the stores throw at each call until the server answers. Default false.</summary>
    public bool FailFast { get; init; }

    /// <summary>The subscriptions that this instance consumes. Default none.</summary>
    public IReadOnlyList<string> Subscriptions { get; init; } = [];
}
