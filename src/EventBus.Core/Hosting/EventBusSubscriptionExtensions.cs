namespace EventBus;

/// <summary>Manages subscriptions that a durable backend keeps.</summary>
public static class EventBusSubscriptionExtensions
{
    /// <summary>
    /// Removes what a durable backend keeps for a subscription that this application no longer has: its queue or its
    /// consumer group, which would grow without limit.
    /// </summary>
    /// <remarks>
    /// Does nothing if the backend keeps nothing for the subscription. Its failed events and dead letters stay in the
    /// store. Call this only when no instance of an older version runs: such an instance would lose its queue, and
    /// create it again empty.
    /// </remarks>
    /// <param name="bus">The bus; it must be running.</param>
    /// <param name="subscription">The name of the subscription, as it was in the code.</param>
    /// <param name="discardWaiting">
    /// True to remove the subscription even if events wait in it; these events are lost. Default false: the call fails
    /// if events wait.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait. The backend may still carry out the request.</param>
    /// <exception cref="ArgumentException">The application still has a subscription of this name.</exception>
    /// <exception cref="EventBusException">
    /// Events wait in the subscription, an instance consumes it, or the backend could not remove it.
    /// </exception>
    /// <exception cref="NotSupportedException">
    /// The backend keeps nothing for subscriptions, or <paramref name="bus"/> is a test double.
    /// </exception>
    public static Task RetireSubscriptionAsync(this IEventBus bus, string subscription, bool discardWaiting = false, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentException.ThrowIfNullOrWhiteSpace(subscription);
        if (bus is not BusClient client)
        {
            throw new NotSupportedException($"{bus.GetType()} is not a running event bus, so there is nothing to retire.");
        }

        return client.CallerContext.EnterAsync(() => RetireAsync(client, subscription, discardWaiting, cancellationToken));
    }

    private static async Task RetireAsync(BusClient client, string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        var engine = client.RunningEngine();
        if (engine.HasSubscription(subscription))
        {
            throw new ArgumentException($"The subscription '{subscription}' is still in use here. Remove its Subscribe call and start the application again; then retire it.", nameof(subscription));
        }

        await engine.RetireAsync(subscription, discardWaiting, cancellationToken);
    }
}
