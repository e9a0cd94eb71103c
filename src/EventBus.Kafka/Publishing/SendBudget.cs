namespace EventBus;

/// <summary>
/// Limits what was sent and is not answered, by count and by bytes, below the limits of the client. A topic whose
/// brokers do not answer uses half of it at most, so that events of other topics are still sent. Thread-safe.
/// </summary>
/// <param name="maxCount">The maximum number of records.</param>
/// <param name="maxBytes">The maximum size. One record may be larger if it is the only one.</param>
internal sealed class SendBudget(int maxCount, long maxBytes)
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, Usage> topics = new(StringComparer.Ordinal);
    private Usage total;
    private bool hasRefused;

    /// <summary>The number of records that are not answered.</summary>
    public int Count
    {
        get
        {
            lock (gate)
            {
                return total.Count;
            }
        }
    }

    /// <summary>Reserves room for a record; false if there is none.</summary>
    public bool TryTake(string topic, int size)
    {
        lock (gate)
        {
            // A single topic may use the whole budget: there is no other to keep room for.
            var used = topics.GetValueOrDefault(topic);
            var fits = total.Fits(size, maxCount, maxBytes)
                && (used.Count == total.Count && topics.Count <= 1 || used.Fits(size, (maxCount + 1) / 2, maxBytes / 2));
            if (fits)
            {
                topics[topic] = used.Add(1, size);
                total = total.Add(1, size);
            }

            hasRefused |= !fits;
            return fits;
        }
    }

    /// <summary>Gives the room of a record back.</summary>
    /// <returns>
    /// True if a record was refused before and a quarter of the room is free again: then many can be sent at once.
    /// </returns>
    public bool Return(string topic, int size)
    {
        lock (gate)
        {
            topics[topic] = topics[topic].Add(-1, -size);
            total = total.Add(-1, -size);
            var hasRoom = hasRefused
                && total.Count <= maxCount - Math.Max(1, maxCount / 4)
                && total.Bytes <= maxBytes - (maxBytes / 4);
            hasRefused &= !hasRoom;
            return hasRoom;
        }
    }

    private readonly record struct Usage(int Count, long Bytes)
    {
        public bool Fits(int size, int maxCount, long maxBytes) => Count < maxCount && (Count == 0 || Bytes + size <= maxBytes);

        public Usage Add(int count, long bytes) => new(Count + count, Bytes + bytes);
    }
}
