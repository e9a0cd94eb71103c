namespace EventBus;

/// <summary>Options for one publish. Concurrent calls may share an instance if it is not changed.</summary>
public sealed class PublishOptions
{
    /// <summary>
    /// The event's key. Ordered subscriptions handle the events of one key in order. At most 256 characters. Default:
    /// the key from <c>bus.Event&lt;T&gt;().KeyedBy(...)</c>; otherwise none.
    /// </summary>
    public string? Key { get; init; }

    /// <summary>
    /// The headers that are sent with the event. At most 64 headers and 16 KB in total. Names consist of letters,
    /// digits, <c>-</c>, <c>_</c> and <c>.</c>, at most 64 characters; values have at most 1,024 characters and no
    /// control characters. The names <c>cc</c> and <c>bcc</c>, and names that begin with <c>ce-</c>, <c>cloudevents</c>
    /// or <c>eventbus-</c>, are reserved. Default none.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>
    /// The event's id. Set it if a repeated publish must be recognised as the same event. At most 128 characters.
    /// Default: a new time-ordered UUID (version 7, RFC 9562).
    /// </summary>
    public string? EventId { get; init; }

    /// <summary>
    /// The id that all events of one business process share. At most 128 characters. Default: the correlation id of the
    /// handled event for <see cref="EventContext.PublishAsync{TEvent}(TEvent, PublishOptions?, CancellationToken)"/>;
    /// otherwise the event's own id.
    /// </summary>
    public string? CorrelationId { get; init; }

    /// <summary>
    /// The time to wait for the backend to accept the event. Default: <see cref="EventBusOptions.PublishTimeout"/>.
    /// </summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>
    /// The earliest time of delivery. Requires a store of delayed events; otherwise the publish fails. Default:
    /// immediately.
    /// </summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>
    /// The time to wait before the delivery, from the publish on: 0 or more. Another way to set
    /// <see cref="NotBefore"/>; setting both is an error. Default: immediately.
    /// </summary>
    public TimeSpan? Delay { get; init; }
}
