namespace EventBus;

/// <summary>What people do with subscriptions that a durable backend keeps.</summary>
public static class EventBusSubscriptionExtensions
{
    /// <summary>Removes what a durable backend keeps for a subscription of this application that no longer exists in its code: its queue or its consumer group, which would fill up for ever.</summary>
    /// <remarks>Does nothing when there is none. Failed events and dead letters of the subscription stay in the store. Call it when no instance of an older version runs any more: one that does would lose its queue, and make it again empty.</remarks>
    /// <param name="bus">The bus; it must be running.</param>
    /// <param name="subscription">The name of the subscription, as it was in the code.</param>
    /// <param name="discardWaiting">Whether to remove it although events wait in it, which are lost then. Default false: that is refused.</param>
    /// <param name="cancellationToken">Ends the waiting; what the backend was asked for may still happen.</param>
    /// <exception cref="ArgumentException">The application still has a subscription of that name.</exception>
    /// <exception cref="EventBusException">Events wait in it, somebody consumes it, or the backend did not do it.</exception>
    /// <exception cref="NotSupportedException">The backend keeps nothing for subscriptions, or the bus is a stand-in.</exception>
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
