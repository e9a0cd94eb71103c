namespace EventBus;

/// <summary>Contains what is known about the failed publishes of one event name and one kind of failure.</summary>
internal sealed class FailedPublishKind
{
    /// <summary>The timestamp of the last entry.</summary>
    public required long LoggedAt { get; set; }

    /// <summary>The number of failures since the last entry.</summary>
    public long Unlogged { get; set; }

    /// <summary>The last failure since the last entry; null for none.</summary>
    public FailedPublish? Last { get; set; }

    /// <summary>Begins to count anew after an entry.</summary>
    /// <returns>The number of failures that were not logged.</returns>
    public long Restart(long now)
    {
        var unlogged = Unlogged;
        LoggedAt = now;
        Unlogged = 0;
        Last = null;
        return unlogged;
    }
}
