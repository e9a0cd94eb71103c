namespace EventBus;

/// <summary>
/// Contains the calls of one key. No operation iterates over them, because a hot key may have very many.
/// </summary>
internal sealed class PublishLine
{
    private static readonly Comparer<PublishCall> BySequence =
        Comparer<PublishCall>.Create((one, other) => one.Sequence.CompareTo(other.Sequence));

    /// <summary>The number of calls that were sent for the first time and have no outcome yet.</summary>
    public int Begun { get; set; }

    /// <summary>The other calls, in their order.</summary>
    public SortedSet<PublishCall> Queue { get; } = new(BySequence);

    /// <summary>The sequence number of the latest call with an event that may have been accepted.</summary>
    public long LastTaken { get; set; }
}
