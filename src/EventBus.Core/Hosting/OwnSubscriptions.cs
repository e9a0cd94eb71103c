namespace EventBus;

/// <summary>The subscriptions of this bus.</summary>
/// <param name="Service">The service name of the bus.</param>
/// <param name="Consumed">The subscriptions that this instance consumes.</param>
/// <param name="Registered">The subscriptions of the application, whether or not this instance consumes them.</param>
internal sealed record OwnSubscriptions(string Service, IReadOnlyCollection<string> Consumed, IReadOnlySet<string> Registered);
