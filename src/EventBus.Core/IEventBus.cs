namespace EventBus;

/// <summary>
/// Publishes events to every subscription whose patterns match. A singleton; all members are thread-safe.
/// </summary>
/// <remarks>
/// A publish does not wait for handlers. It completes when the backend has accepted the event with the strongest
/// durability that it offers. After <see cref="EventBusOptions.PublishTimeout"/> it ends with a <see
/// cref="PublishException"/> that says whether the event certainly failed or is in doubt. Inside a handler, prefer <see
/// cref="EventContext.PublishAsync{TEvent}(TEvent, PublishOptions?, CancellationToken)"/>: its events are sent only if
/// the handler succeeds.
/// </remarks>
public interface IEventBus
{
    /// <summary>Publishes one event with the default options.</summary>
    /// <param name="event">
    /// The event. Put ids into it rather than whole objects: above 64 KB a warning is logged, and above 256 KB the
    /// event is rejected (both limits are configurable).
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the wait only: an event that is already being sent may still be delivered.
    /// </param>
    /// <exception cref="PublishException">The event was rejected, was not accepted in time, or is in doubt.</exception>
    Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull;

    /// <summary>Publishes one event with a key, headers, an id, a delay or another deadline.</summary>
    /// <param name="event">The event.</param>
    /// <param name="options">
    /// The options that differ from the defaults; null for none. The bus reads them only during the call, so that one
    /// instance may be used for many calls.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the wait only: an event that is already being sent may still be delivered.
    /// </param>
    /// <exception cref="PublishException">The event was rejected, was not accepted in time, or is in doubt.</exception>
    Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull;

    /// <summary>
    /// Publishes a list of events without waiting for each. For each key, the order of the list is kept.
    /// </summary>
    /// <remarks>
    /// If an event is not accepted, the later events of its key are not sent and are reported as failed. The timeout
    /// applies to each batch of 512 events. If it expires, the events after that batch are not sent and are reported as
    /// failed.
    /// </remarks>
    /// <param name="events">The events. The list is read until the call ends.</param>
    /// <param name="options">
    /// The options that differ from the defaults, for every event; null for none. An event id cannot be set here.
    /// </param>
    /// <param name="cancellationToken">
    /// Cancels the wait only: events that are already being sent may still be delivered.
    /// </param>
    /// <exception cref="PublishManyException">
    /// At least one event was not accepted. The exception reports the result of each event.
    /// </exception>
    Task PublishManyAsync<TEvent>(
        IReadOnlyList<TEvent> events,
        PublishOptions? options = null,
        CancellationToken cancellationToken = default)
        where TEvent : notnull;

    /// <summary>
    /// Publishes a stream of events without waiting for each. For each key, the order of the stream is kept.
    /// </summary>
    /// <remarks>
    /// Events are sent in batches of up to 512 while the next ones are read; a batch does not wait until it is full. At
    /// most 1,024 events are held in memory. The timeout applies to each batch. If an event of a batch is not accepted,
    /// nothing more is sent or read after that batch. If the stream throws, the events before that are sent, and then
    /// the call ends with the exception.
    /// </remarks>
    /// <param name="events">The events. The enumerator is disposed before the call ends.</param>
    /// <param name="options">
    /// The options that differ from the defaults, for every event; null for none. An event id cannot be set here.
    /// </param>
    /// <param name="cancellationToken">
    /// Ends the reading and cancels the wait: events that are already being sent may still be delivered.
    /// </param>
    /// <exception cref="PublishManyException">
    /// At least one event was not accepted. The exception reports the result of each event that was read.
    /// </exception>
    Task PublishManyAsync<TEvent>(
        IAsyncEnumerable<TEvent> events,
        PublishOptions? options = null,
        CancellationToken cancellationToken = default)
        where TEvent : notnull;
}
