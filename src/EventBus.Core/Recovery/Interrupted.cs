namespace EventBus;

/// <summary>
/// The bus is stopping, or another instance has taken over. The attempt does not count, and the event is redelivered.
/// </summary>
internal sealed record Interrupted : Failure
{
    public static Interrupted Instance { get; } = new();
}
