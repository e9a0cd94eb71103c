namespace EventBus;

/// <summary>Describes an event in the history of a saga.</summary>
/// <param name="At">The time of the event.</param>
/// <param name="Step">The step that it concerns; null for the saga as a whole.</param>
/// <param name="Text">The description.</param>
public sealed record SagaHistoryEntry(DateTimeOffset At, string? Step, string Text);
