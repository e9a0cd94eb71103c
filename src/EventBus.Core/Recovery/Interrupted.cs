namespace EventBus;

/// <summary>The bus is stopping, or another instance has taken over: it does not count, and comes again.</summary>
internal sealed record Interrupted : Failure
{
    public static Interrupted Instance { get; } = new();
}
