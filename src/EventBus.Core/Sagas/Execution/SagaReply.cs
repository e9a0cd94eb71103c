using System.Text.Json;

namespace EventBus;

/// <summary>A reply that came for a saga.</summary>
/// <param name="EventName">The event's name.</param>
/// <param name="EventId">The event's id.</param>
/// <param name="Body">The event as JSON, carried forward to the version that the application knows.</param>
internal sealed record SagaReply(string EventName, string EventId, JsonElement Body)
{
    /// <summary>The step for which it was taken in.</summary>
    public string? Step { get; init; }

    /// <summary>The key for which that step waited then; null for the saga's id.</summary>
    public string? WaitKey { get; init; }
}
