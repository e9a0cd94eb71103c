namespace EventBus;

/// <summary>Handles events of one type for one subscription. Register it with <c>bus.Subscribe&lt;TEvent, THandler&gt;()</c>.</summary>
/// <remarks>
/// Delivery is at least once: the same event can arrive again after a crash, so effects should be safe to repeat.
/// A subscription calls its handlers from several threads at once, up to its concurrency limit; a handler registered as a singleton must be thread-safe.
/// Throwing means "failed": the event is retried for this subscription only, and dead-lettered after the last retry.
/// </remarks>
/// <typeparam name="TEvent">The event type, best an immutable record: in memory every subscription is handed the same instance.</typeparam>
public interface IEventHandler<in TEvent>
    where TEvent : notnull
{
    /// <summary>Handles one event. The event is acknowledged only after the returned task has completed successfully.</summary>
    /// <param name="event">The event.</param>
    /// <param name="context">Id, headers and attempt of this delivery, and a way to publish follow-up events that leave only if this handler succeeds. Valid until the returned task completes.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the shutdown budget is spent, the handler's time-out is over, or ownership of the event was lost. The event is then delivered again or counted as failed. In memory, events that begin at about the same time share a
    /// token, which costs no object an event: it is cancelled after the time-out, or when the bus stops, also when this handler has succeeded long ago. Dispose what was registered on it before the handler returns, and
    /// do not hand it to work that goes on after the handler.
    /// </param>
    Task HandleAsync(TEvent @event, EventContext context, CancellationToken cancellationToken);
}
