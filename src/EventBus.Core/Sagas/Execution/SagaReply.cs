using System.Text.Json;

namespace EventBus;

/// <summary>Represents a received reply to a saga.</summary>
/// <param name="EventName">The event's name.</param>
/// <param name="EventId">The event's id.</param>
/// <param name="Body">The event as JSON, upgraded to the version that the application knows.</param>
internal sealed record SagaReply(string EventName, string EventId, JsonElement Body)
{
    /// <summary>The step that was active when the reply arrived; null if the reply is not in an inbox yet.</summary>
    public string? Step { get; init; }

    /// <summary>The key of the reply that this step waited for at that time; null for the saga's id.</summary>
    public string? WaitKey { get; init; }
}
