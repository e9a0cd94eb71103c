namespace EventBus;

/// <summary>
/// Handles events of one type for one subscription. Register it with <c>bus.Subscribe&lt;TEvent, THandler&gt;()</c>.
/// </summary>
/// <remarks>
/// Delivery is at least once: the same event can arrive again after a crash, so effects must be safe to repeat. A
/// subscription calls its handlers concurrently, up to its concurrency limit; a handler that is registered as a
/// singleton must be thread-safe. If the handler throws, the attempt has failed: the event is retried for this
/// subscription only, and becomes a dead letter after the last retry.
/// </remarks>
/// <typeparam name="TEvent">
/// The event type, preferably an immutable record: in memory, all subscriptions receive the same instance.
/// </typeparam>
public interface IEventHandler<in TEvent>
    where TEvent : notnull
{
    /// <summary>
    /// Handles one event. The event is acknowledged only after the returned task has completed successfully.
    /// </summary>
    /// <param name="event">The event.</param>
    /// <param name="context">
    /// The id, headers and attempt number of this delivery. It also publishes follow-up events, which are sent only if
    /// this handler succeeds. Valid until the returned task completes.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancelled when the bus stops and <see cref="EventBusOptions.DrainTimeout"/> has elapsed, when the handler's
    /// timeout has elapsed, or when this instance no longer owns the event. The event is then redelivered or counted as
    /// failed. In memory, events that begin at about the same time share one token, to save an allocation per event.
    /// The shared token is cancelled after the timeout or when the bus stops, even if this handler succeeded long
    /// before. Dispose registrations on the token before the handler returns, and do not pass the token to work that
    /// outlives the handler.
    /// </param>
    Task HandleAsync(TEvent @event, EventContext context, CancellationToken cancellationToken);
}
