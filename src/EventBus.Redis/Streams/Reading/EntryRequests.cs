using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Determines the size of the requests for entries, and tracks the requested entries that are not yet delivered to the
/// bus. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// A request is for about 1 MB, at least one entry. The size starts small, is halved after a failure, and at most
/// doubles with each answer. The duration is not a usable measure: a late answer may be a small one over a connection
/// with high latency.
/// </para>
/// <para>
/// An answer may take longer than the ownership of its entries lasts; therefore they are renewed at the server while
/// they are in transit.
/// </para>
/// </remarks>
internal sealed class EntryRequests(TimeProvider time)
{
    private const int First = 4;
    private const int Most = 1_024;
    private const double Bytes = 1024 * 1024;

    private readonly Lock gate = new();
    private readonly List<long> asked = [];
    private readonly Dictionary<(RedisKey Stream, RedisValue Id), long> renewed = [];
    private int size = First;
    private double average;

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

    /// <summary>Begins a request for new entries. Dispose the result after the entries are delivered.</summary>
    /// <param name="room">The maximum number of entries.</param>
    public Request Begin(int room)
    {
        lock (gate)
        {
            return Add(Math.Min(size, room), isMeasured: true);
        }
    }

    /// <summary>
    /// Begins a request for the content of given entries, which does not change the size of other requests. Dispose the
    /// result after the entries are delivered.
    /// </summary>
    public Request BeginFetch(int count)
    {
        lock (gate)
        {
            return Add(count, isMeasured: false);
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

    private Request Add(int count, bool isMeasured)
    {
        var now = time.GetTimestamp();
        asked.Add(now);
        return new Request(this, count, now, isMeasured);
    }

    private void Answered(int entries, long bytes)
    {
        if (entries == 0)
        {
            return;
        }

        lock (gate)
        {
            // The average rises immediately and falls slowly: an answer that is too large costs more than one that is
            // too small.
            var latest = Math.Max(1, (double)bytes / entries);
            average = Math.Max(latest, (average + latest) / 2);
            size = (int)Math.Clamp(Bytes / average, 1, Math.Min(Most, size * 2));
        }
    }

    private void End(long at, bool hasFailed)
    {
        lock (gate)
        {
            size = hasFailed ? Math.Max(1, size / 2) : size;
            asked.Remove(at);
            if (asked.Count == 0)
            {
                renewed.Clear();
            }
        }
    }

    /// <summary>Represents an unfinished request for entries. Disposing it ends the request.</summary>
    public sealed class Request : IDisposable
    {
        private readonly EntryRequests owner;
        private bool awaitsMeasure;

        internal Request(EntryRequests owner, int count, long at, bool isMeasured) =>
            (this.owner, Count, At, awaitsMeasure) = (owner, count, at, isMeasured);

        /// <summary>The number of entries to request.</summary>
        public int Count { get; }

        /// <summary>The time of the request.</summary>
        public long At { get; }

        /// <summary>Records the answer. A request for new entries that ends without one counts as failed.</summary>
        /// <param name="entries">The number of entries in the answer.</param>
        /// <param name="bytes">The total size of the entries in bytes.</param>
        public void Answered(int entries, long bytes)
        {
            awaitsMeasure = false;
            owner.Answered(entries, bytes);
        }

        public void Dispose() => owner.End(At, awaitsMeasure);
    }
}
