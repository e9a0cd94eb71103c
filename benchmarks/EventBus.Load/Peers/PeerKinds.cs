namespace EventBus.Load;

/// <summary>Other libraries: as they come, and as their documentation says for speed.</summary>
internal static class PeerKinds
{
    /// <summary>Those that over RabbitMQ confirm each event, keep it on disk and acknowledge it after its handler, as the bus does.</summary>
    public static IReadOnlyList<string> Confirming { get; } = [];

    public static IReadOnlyList<ContenderKind> All { get; } =
    [
    ];
}
