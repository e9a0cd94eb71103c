using StackExchange.Redis;

namespace EventBus;

/// <summary>What a receiver has asked for and not yet handed out. An answer may take longer than the ownership of what is in it: those entries are renewed at the server while they are on their way. Thread-safe.</summary>
internal sealed class InFlightReads(TimeProvider time)
{
    private readonly Lock gate = new();
    private readonly List<long> asked = [];
    private readonly Dictionary<(RedisKey Stream, RedisValue Id), long> renewed = [];

    /// <summary>For how long the oldest answer has been awaited; null while none is.</summary>
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

    /// <summary>Something is asked for. It ends, with the disposal, once it is handed out.</summary>
    public Arrival Begin()
    {
        lock (gate)
        {
            var now = time.GetTimestamp();
            asked.Add(now);
            return new Arrival(this, now);
        }
    }

    /// <summary>Entries of a stream were still owned.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="ids">The entries.</param>
    /// <param name="at">Before the server was asked.</param>
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

    /// <summary>When an entry was last known to be owned: when it was given out, or renewed since.</summary>
    public long OwnedAt(RedisKey stream, RedisValue id, long givenAt)
    {
        lock (gate)
        {
            return renewed.Count > 0 && renewed.TryGetValue((stream, id), out var at) ? Math.Max(at, givenAt) : givenAt;
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

    /// <param name="owner">Where it ends.</param>
    /// <param name="at">When it was asked for.</param>
    public readonly struct Arrival(InFlightReads owner, long at) : IDisposable
    {
        public long At => at;

        public void Dispose() => owner.End(at);
    }
}
