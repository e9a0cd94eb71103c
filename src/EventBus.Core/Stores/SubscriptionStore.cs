namespace EventBus.Stores;

/// <summary>Remembers which subscriptions were in use on a backend that cannot list what it keeps for them. The applications that share the stores see one another's.</summary>
public abstract class SubscriptionStore
{
    /// <summary>Notes that an instance of this application consumes subscriptions.</summary>
    /// <param name="backend">The backend (<see cref="Transports.TransportFeatures.System"/>).</param>
    /// <param name="subscriptions">The names of the subscriptions; may be none.</param>
    /// <param name="now">The present time.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>All subscriptions of the backend that are remembered, of every application, in any order.</returns>
    public abstract ValueTask<IReadOnlyList<SeenSubscription>> NoteAsync(string backend, IReadOnlyCollection<string> subscriptions, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Forgets a subscription. One that is not remembered is no error.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="service">The name of the application.</param>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask ForgetAsync(string backend, string service, string subscription, CancellationToken cancellationToken);
}
