namespace EventBus;

/// <summary>
/// Lists and cancels the events that were published with <see cref="PublishOptions.NotBefore"/> or
/// <see cref="PublishOptions.Delay"/> and are not due yet. Resolve it from the container. Thread-safe.
/// </summary>
/// <remarks>
/// A class instead of an interface, so that members can be added. Every call ends within
/// <see cref="EventBusOptions.PublishTimeout"/> (10 s by default): if the store does not answer, the call throws an
/// <see cref="EventBusException"/> and may be repeated. It also throws one if the bus is not running or has no store of
/// delayed events.
/// </remarks>
public abstract class DelayedEvents
{
    /// <summary>Lists the events that can be cancelled, the next one to be published first.</summary>
    /// <param name="limit">The maximum number of events, 1 to 1,000.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract Task<IReadOnlyList<DelayedEvent>> ListAsync(int limit = 100, CancellationToken cancellationToken = default);

    /// <summary>Cancels a delayed event: it is removed and never published.</summary>
    /// <param name="eventId">
    /// The event's id. Set <see cref="PublishOptions.EventId"/> when you publish an event that may have to be
    /// cancelled.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait. The event may still be cancelled.</param>
    /// <returns>
    /// True if the event was cancelled by this call. False if there is no such event, or if an instance has begun to
    /// publish it: it was published or still will be.
    /// </returns>
    public abstract Task<bool> CancelAsync(string eventId, CancellationToken cancellationToken = default);
}
