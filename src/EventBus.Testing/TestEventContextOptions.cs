using System.Collections.ObjectModel;

namespace EventBus;

/// <summary>The values of a context for a test (<see cref="TestEventContext"/>).</summary>
public sealed class TestEventContextOptions
{
    /// <summary>The value of <see cref="EventContext.Event"/>. Default none.</summary>
    public object? Event { get; init; }

    /// <summary>The event's id. Default <c>test-event</c>.</summary>
    public string EventId { get; init; } = "test-event";

    /// <summary>The event's name. Default <c>test.event</c>.</summary>
    public string EventName { get; init; } = "test.event";

    /// <summary>The version of the event. Default 1.</summary>
    public int EventVersion { get; init; } = 1;

    /// <summary>The event's key. Default none.</summary>
    public string? Key { get; init; }

    /// <summary>The user's headers. Default none.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = ReadOnlyDictionary<string, string>.Empty;

    /// <summary>The correlation id. Default the event's id.</summary>
    public string? CorrelationId { get; init; }

    /// <summary>The id of the event whose handler published this event. Default none.</summary>
    public string? CausationId { get; init; }

    /// <summary>The CloudEvents <c>source</c>. Default none.</summary>
    public string? Source { get; init; }

    /// <summary>
    /// The time at which the event was published. Default the Unix epoch, so that tests do not depend on the clock.
    /// </summary>
    public DateTimeOffset Time { get; init; } = DateTimeOffset.UnixEpoch;

    /// <summary>The subscription's name. Default <c>test</c>.</summary>
    public string Subscription { get; init; } = "test";

    /// <summary>The number of the attempt, 1 or more. Default 1.</summary>
    public int Attempt { get; init; } = 1;

    /// <summary>True if an operator retried the event. Default false.</summary>
    public bool IsManualRetry { get; init; }

    /// <summary>True if a replay of the subscription delivers the event again. Default false.</summary>
    public bool IsReplay { get; init; }

    /// <summary>The fencing token. Default 0.</summary>
    public long FencingToken { get; init; }

    /// <summary>The event as JSON (UTF-8). Default empty.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// The value of <see cref="EventContext.Services"/>. Default none: reading the property is then an error.
    /// </summary>
    public IServiceProvider? Services { get; init; }
}
