namespace EventBus;

/// <summary>The limits of the size of an event as JSON, in bytes.</summary>
/// <param name="WarnBytes">The size above which the first event of each type is logged.</param>
/// <param name="MaxBytes">The size above which an event is rejected.</param>
/// <param name="SerializesAll">
/// True if every event is serialized, because the transport or a store needs its bytes.
/// </param>
internal sealed record EventSizeLimits(int WarnBytes, int MaxBytes, bool SerializesAll)
{
    /// <summary>The backend whose own limit is <see cref="MaxBytes"/>; null if the limit is an option.</summary>
    public string? Backend { get; init; }
}
