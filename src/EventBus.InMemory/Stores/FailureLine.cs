namespace EventBus;

/// <summary>
/// Holds the line of a key: the failed event of the key, and the later events of the key that wait behind it.
/// </summary>
internal sealed class FailureLine
{
    public LinkedList<FailedEntry> Entries { get; } = [];

    /// <summary>The number of parked entries that are not claimed.</summary>
    public int ParkedCount { get; set; }
}
