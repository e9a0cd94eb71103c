namespace EventBus.Stores;

/// <summary>
/// Stores which subscriptions were in use on a backend that cannot list what it keeps for them. Applications that share
/// the stores see each other's subscriptions.
/// </summary>
public abstract class SubscriptionStore
{
    /// <summary>Records that an instance of this application consumes subscriptions.</summary>
    /// <param name="backend">The backend (<see cref="Transports.TransportFeatures.System"/>).</param>
    /// <param name="subscriptions">The names of the subscriptions; may be empty.</param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>
    /// All stored subscriptions of the backend, of every application, in any order: the name of the application, the
    /// name of the subscription, and the time at which an instance last recorded that it consumes it.
    /// </returns>
    public abstract ValueTask<IReadOnlyList<(string Service, string Name, DateTimeOffset LastSeen)>> RecordAsync(
        string backend, IReadOnlyCollection<string> subscriptions, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Removes the record of a subscription. Does nothing if there is none.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="service">The name of the application.</param>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask ForgetAsync(string backend, string service, string subscription, CancellationToken cancellationToken);
}
