namespace EventBus;

/// <summary>Something that happened to a saga.</summary>
/// <param name="At">When.</param>
/// <param name="Step">The step that it concerns; null for the saga as a whole.</param>
/// <param name="Text">What happened.</param>
public sealed record SagaHistoryEntry(DateTimeOffset At, string? Step, string Text);
