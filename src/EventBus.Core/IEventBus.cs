namespace EventBus;

/// <summary>Publishes events to every subscription that listens for them. A singleton; all members are thread-safe.</summary>
/// <remarks>
/// A publish never waits for handlers. It completes when the backend has accepted the event as durably as it can, and never hangs:
/// after <see cref="EventBusOptions.PublishTimeout"/> it ends with a <see cref="PublishException"/> that says whether the event certainly failed or is in doubt.
/// Inside a handler prefer <see cref="EventContext.PublishAsync{TEvent}(TEvent, PublishOptions?, CancellationToken)"/>, whose events leave only if the handler succeeds.
/// </remarks>
public interface IEventBus
{
    /// <summary>Publishes one event with the default options.</summary>
    /// <param name="event">The event. It carries ids rather than whole objects: above 64 KB it is warned of, above 256 KB refused (both settable).</param>
    /// <param name="cancellationToken">Ends the waiting only: an event that is already on its way may still be delivered.</param>
    /// <exception cref="PublishException">The event was refused, was not accepted in time, or is in doubt.</exception>
    Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull;

    /// <summary>Publishes one event with a key, headers, an id, a delay or another deadline.</summary>
    /// <param name="event">The event.</param>
    /// <param name="options">What differs from the defaults; null for none. Read during the call only, so one instance may serve many calls.</param>
    /// <param name="cancellationToken">Ends the waiting only: an event that is already on its way may still be delivered.</param>
    /// <exception cref="PublishException">The event was refused, was not accepted in time, or is in doubt.</exception>
    Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull;

    /// <summary>Publishes a list of events, pipelined, in the order of the list for each key.</summary>
    /// <remarks>
    /// An event that is not accepted holds back the later events of its own key: they are reported as failed and were not sent.
    /// The time-out holds for each run of 512 events; when one ends without all its events accepted in time, the events after it are not sent, and are reported as failed.
    /// </remarks>
    /// <param name="events">The events; read until the call ends.</param>
    /// <param name="options">What differs from the defaults for every event; null for none. An id cannot be set here.</param>
    /// <param name="cancellationToken">Ends the waiting only: events that are already on their way may still be delivered.</param>
    /// <exception cref="PublishManyException">At least one event was not accepted; it reports each item.</exception>
    Task PublishManyAsync<TEvent>(IReadOnlyList<TEvent> events, PublishOptions? options = null, CancellationToken cancellationToken = default)
        where TEvent : notnull;
}
