namespace EventBus;

/// <summary>Describes one entry in the history of a saga.</summary>
/// <param name="At">The time of the entry.</param>
/// <param name="Step">The step that the entry concerns; null for the saga as a whole.</param>
/// <param name="Text">The description.</param>
public sealed record SagaHistoryEntry(DateTimeOffset At, string? Step, string Text);
