using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Tracks the requested entries that are not yet delivered to the bus. An answer may take longer than the ownership of
/// its entries lasts; therefore they are renewed at the server while they are in transit. Thread-safe.
/// </summary>
internal sealed class InFlightReads(TimeProvider time)
{
    private readonly Lock gate = new();
    private readonly List<long> asked = [];
    private readonly Dictionary<(RedisKey Stream, RedisValue Id), long> renewed = [];

    /// <summary>The time since the oldest unfinished request; null if there is none.</summary>
    public TimeSpan? Oldest
    {
        get
        {
            lock (gate)
            {
                return asked.Count == 0 ? null : time.GetElapsedTime(asked.Min());
            }
        }
    }

    /// <summary>Records a request. Dispose the result after the entries are delivered.</summary>
    public Arrival Begin()
    {
        lock (gate)
        {
            var now = time.GetTimestamp();
            asked.Add(now);
            return new Arrival(this, now);
        }
    }

    /// <summary>Records that this instance still owned some entries of a stream at a time.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="ids">The entries.</param>
    /// <param name="at">The time before the server was asked.</param>
    public void Renewed(RedisKey stream, IEnumerable<RedisValue> ids, long at)
    {
        lock (gate)
        {
            if (asked.Count > 0)
            {
                foreach (var id in ids)
                {
                    renewed[(stream, id)] = at;
                }
            }
        }
    }

    /// <summary>Gets the time at which an entry was last known to be owned: its delivery or a later renewal.</summary>
    public long OwnedAt(RedisKey stream, RedisValue id, long deliveredAt)
    {
        lock (gate)
        {
            return renewed.Count > 0 && renewed.TryGetValue((stream, id), out var at) ? Math.Max(at, deliveredAt) : deliveredAt;
        }
    }

    private void End(long at)
    {
        lock (gate)
        {
            asked.Remove(at);
            if (asked.Count == 0)
            {
                renewed.Clear();
            }
        }
    }

    /// <summary>An unfinished request for entries. Disposing it ends the request.</summary>
    /// <param name="owner">The tracker.</param>
    /// <param name="at">The time of the request.</param>
    public readonly struct Arrival(InFlightReads owner, long at) : IDisposable
    {
        public long At => at;

        public void Dispose() => owner.End(at);
    }
}
