using System.Collections;

namespace EventBus;

/// <summary>
/// Represents the results of a stream of events. Stores only the number of accepted events at the beginning, and the
/// results of the events after them.
/// </summary>
/// <param name="acceptedCount">The number of events that were accepted at the beginning.</param>
/// <param name="rest">The results of the events after them; null for an accepted event.</param>
internal sealed class StreamResults(int acceptedCount, IReadOnlyList<PublishException?> rest) : IReadOnlyList<PublishException?>
{
    public int Count => acceptedCount + rest.Count;

    public PublishException? this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            return index < acceptedCount ? null : rest[index - acceptedCount];
        }
    }

    public IEnumerator<PublishException?> GetEnumerator() =>
        Enumerable.Repeat<PublishException?>(null, acceptedCount).Concat(rest).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
