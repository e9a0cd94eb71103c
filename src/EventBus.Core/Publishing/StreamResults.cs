using System.Collections;

namespace EventBus;

/// <summary>
/// Represents the results of a stream of events. Stores only the number of accepted events at the beginning, and the
/// results of the events after them.
/// </summary>
/// <param name="accepted">The number of events that were accepted at the beginning.</param>
/// <param name="last">The results of the events after them.</param>
internal sealed class StreamResults(int accepted, IReadOnlyList<PublishException?> last) : IReadOnlyList<PublishException?>
{
    public int Count => accepted + last.Count;

    public PublishException? this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(index);
            return index < accepted ? null : last[index - accepted];
        }
    }

    public IEnumerator<PublishException?> GetEnumerator() =>
        Enumerable.Repeat<PublishException?>(null, accepted).Concat(last).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
