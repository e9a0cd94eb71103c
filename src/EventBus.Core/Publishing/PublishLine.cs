namespace EventBus;

/// <summary>
/// Contains the publish calls of one key. No operation iterates over them, because a hot key may have very many.
/// </summary>
internal sealed class PublishLine
{
    private static readonly Comparer<PublishCall> BySequence =
        Comparer<PublishCall>.Create((one, other) => one.Sequence.CompareTo(other.Sequence));

    /// <summary>The number of calls in the state <see cref="PublishCallState.Sent"/>.</summary>
    public int SentCount { get; set; }

    /// <summary>The calls in the other states, in the order of their sequence numbers.</summary>
    public SortedSet<PublishCall> Queue { get; } = new(BySequence);

    /// <summary>The highest sequence number of a call of which an event of this key may have been accepted.</summary>
    public long LastPossiblyAccepted { get; set; }
}
