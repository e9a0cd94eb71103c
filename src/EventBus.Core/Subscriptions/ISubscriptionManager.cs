namespace EventBus;

/// <summary>
/// Lists, pauses and resumes the subscriptions of this instance. Removes the queues and consumer groups of
/// subscriptions that were removed from the code. For operators; resolve it from the container. Thread-safe.
/// </summary>
/// <remarks>Every member throws an <see cref="EventBusException"/> if the bus is not running.</remarks>
public interface ISubscriptionManager
{
    /// <summary>Lists the subscriptions that this instance consumes, sorted by name.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    Task<IReadOnlyList<SubscriptionInfo>> ListAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Pauses a subscription on this instance: it begins to handle no event, new or retried, until
    /// <see cref="ResumeAsync"/>. Handlers that are running finish. Has no effect if the subscription is paused
    /// already.
    /// </summary>
    /// <remarks>
    /// No event is lost: new events wait on the backend, and retries wait in the store. Other instances continue. This
    /// instance may hold the few events that it has already received. The health check reports degraded. The pause ends
    /// when the process ends. If the queue exists only in this process (in memory), the bus handles its events when it
    /// stops.
    /// </remarks>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="ArgumentException">This instance has no such subscription.</exception>
    Task PauseAsync(string subscription, CancellationToken cancellationToken = default);

    /// <summary>Resumes a paused subscription. Has no effect if the subscription is not paused.</summary>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="ArgumentException">This instance has no such subscription.</exception>
    Task ResumeAsync(string subscription, CancellationToken cancellationToken = default);

    /// <summary>
    /// Handles events again that a subscription has received before: stops the subscription on this instance, moves its
    /// position back and starts it again. No other instance may consume it meanwhile.
    /// </summary>
    /// <remarks>
    /// <para>
    /// Only on a backend that keeps events (Kafka). Handlers that run may finish for a limited time; what is left is
    /// handled again. The position is never moved forward, so that no event is skipped. The log records the replay.
    /// </para>
    /// <para>
    /// Until the old position is reached, <see cref="EventContext.IsReplay"/> is true, idempotent subscriptions handle
    /// each event once in this replay, and order guards let it pass.
    /// </para>
    /// </remarks>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="start">Where the replay begins.</param>
    /// <param name="cancellationToken">
    /// Cancels the wait. The replay may still begin; the log says whether it has.
    /// </param>
    /// <returns>The number of the replay. It is higher than those of earlier replays of the subscription.</returns>
    /// <exception cref="ArgumentException">This instance has no such subscription.</exception>
    /// <exception cref="EventBusException">
    /// Another instance consumes the subscription, the backend could not move its position, or it keeps no events that
    /// were handled. The subscription continues where it was.
    /// </exception>
    Task<long> ReplayAsync(string subscription, ReplayStart start, CancellationToken cancellationToken = default);

    /// <summary>
    /// Removes the queue or the consumer group of a subscription that this application no longer has, from a durable
    /// backend. Otherwise its events would accumulate without limit.
    /// </summary>
    /// <remarks>
    /// Does nothing if the backend has no queue or consumer group of the subscription. The failed events and dead
    /// letters of the subscription stay in the store. Call this only when no instance of an older version runs: such an
    /// instance would lose its queue, and create it again empty.
    /// </remarks>
    /// <param name="subscription">The name of the subscription, as it was in the code.</param>
    /// <param name="discardWaiting">
    /// True to remove the subscription even if events wait in it; these events are lost. Default false: the call fails
    /// if events wait.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait. The backend may still carry out the request.</param>
    /// <exception cref="ArgumentException">The application still has a subscription of this name.</exception>
    /// <exception cref="EventBusException">
    /// Events wait in the subscription, an instance consumes it, the backend could not remove it, or the backend has no
    /// queues or consumer groups that could be removed.
    /// </exception>
    Task RetireAsync(string subscription, bool discardWaiting = false, CancellationToken cancellationToken = default);
}
