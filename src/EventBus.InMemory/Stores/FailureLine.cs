namespace EventBus;

/// <summary>The failed event of a key and what came behind it.</summary>
internal sealed class FailureLine
{
    public LinkedList<FailedEntry> Entries { get; } = [];

    public int Parked { get; set; }
}
