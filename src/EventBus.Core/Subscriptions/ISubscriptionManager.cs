namespace EventBus;

/// <summary>
/// Lists the subscriptions of this instance, pauses and resumes them, and removes what a backend keeps for
/// subscriptions that were removed from the code. For operators; resolve it from the container. Thread-safe.
/// </summary>
/// <remarks>Every member throws an <see cref="EventBusException"/> if the bus is not running.</remarks>
public interface ISubscriptionManager
{
    /// <summary>Lists the subscriptions that this instance consumes, by name.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    Task<IReadOnlyList<SubscriptionInfo>> ListAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Pauses a subscription on this instance: no event and no retry of it begins until <see cref="ResumeAsync"/>.
    /// Handlers that run now finish. Has no effect if it is paused already.
    /// </summary>
    /// <remarks>
    /// Nothing is lost: events wait on the backend, and retries in the store. Other instances continue, and this one
    /// may hold the few events that it has prefetched. The health check reports degraded. The pause ends with the
    /// process; when the bus stops, events in a queue that ends with the process are still handled.
    /// </remarks>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="ArgumentException">This instance has no such subscription.</exception>
    Task PauseAsync(string subscription, CancellationToken cancellationToken = default);

    /// <summary>Resumes a paused subscription. Has no effect if it is not paused.</summary>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="ArgumentException">This instance has no such subscription.</exception>
    Task ResumeAsync(string subscription, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes what a durable backend keeps for a subscription that this application no longer has: its queue or its
    /// consumer group, which would grow without limit.
    /// </summary>
    /// <remarks>
    /// Does nothing if the backend keeps nothing for the subscription. Its failed events and dead letters stay in the
    /// store. Call this only when no instance of an older version runs: such an instance would lose its queue, and
    /// create it again empty.
    /// </remarks>
    /// <param name="subscription">The name of the subscription, as it was in the code.</param>
    /// <param name="discardWaiting">
    /// True to remove the subscription even if events wait in it; these events are lost. Default false: the call fails
    /// if events wait.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait. The backend may still carry out the request.</param>
    /// <exception cref="ArgumentException">The application still has a subscription of this name.</exception>
    /// <exception cref="EventBusException">
    /// Events wait in the subscription, an instance consumes it, or the backend could not remove it or keeps nothing
    /// for subscriptions.
    /// </exception>
    Task RetireAsync(string subscription, bool discardWaiting = false, CancellationToken cancellationToken = default);
}
