namespace EventBus;

/// <summary>What differs from the defaults for one publish. An instance may be shared by calls that run at the same time, as long as nobody changes it.</summary>
public sealed class PublishOptions
{
    /// <summary>The event's key: events of one key are handled in order by ordered subscriptions. At most 256 characters. Default: what <c>bus.Event&lt;T&gt;().KeyedBy(...)</c> says, else none.</summary>
    public string? Key { get; init; }

    /// <summary>
    /// Headers that travel with the event. At most 64 of them and 16 KB in all; names of letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, at most 64 characters;
    /// values of at most 1,024 characters without control characters. Names that begin with <c>ce-</c>, <c>cloudevents</c> or <c>eventbus-</c>, and <c>cc</c> and <c>bcc</c>, are reserved. Default none.
    /// </summary>
    public IReadOnlyDictionary<string, string>? Headers { get; init; }

    /// <summary>The event's own id, when the caller needs publishing again to be recognised as the same event. At most 128 characters. Default: a new time-ordered UUID (version 7, RFC 9562).</summary>
    public string? EventId { get; init; }

    /// <summary>Ties all events of one business process together. At most 128 characters. Default: that of the handled event for <see cref="EventContext.PublishAsync{TEvent}(TEvent, PublishOptions?, CancellationToken)"/>, else the event's own id.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>How long to wait for the backend to accept the event before giving up. Default: <see cref="EventBusOptions.PublishTimeout"/>.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Delivers the event no earlier than this time. Needs a store, or a backend with delays of its own; otherwise the publish fails and says so. Default: at once.</summary>
    public DateTimeOffset? NotBefore { get; init; }
}
