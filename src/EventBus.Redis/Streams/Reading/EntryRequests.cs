using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Determines the size of the requests for entries, and tracks the unfinished requests, whose entries are not yet
/// delivered to the bus. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// A request is for about 1 MB, at least one entry. The number of entries starts small, is halved after a failure, and
/// at most doubles with each answer. It does not depend on durations: a late answer may be small, on a slow connection.
/// </para>
/// <para>
/// An answer may take longer than the ownership of its entries lasts; therefore they are renewed at the server while
/// they are in transit.
/// </para>
/// </remarks>
internal sealed class EntryRequests(TimeProvider time)
{
    private const int InitialEntries = 4;
    private const int MaxEntries = 1_024;
    private const double RequestBytes = 1024 * 1024;

    private readonly Lock gate = new();

    // The times at which the unfinished requests began.
    private readonly List<long> begunAt = [];

    // The times at which entries in transit were renewed. Cleared when there is no unfinished request.
    private readonly Dictionary<(RedisKey Stream, RedisValue Id), long> renewedAt = [];

    // The number of entries of the next request, if there is room for so many.
    private int nextCount = InitialEntries;
    private double averageEntryBytes;

    /// <summary>The time since the oldest unfinished request began; null if there is none.</summary>
    public TimeSpan? LongestWait
    {
        get
        {
            lock (gate)
            {
                return begunAt.Count == 0 ? null : time.GetElapsedTime(begunAt.Min());
            }
        }
    }

    /// <summary>Begins a request for new entries. Dispose the result after the entries are delivered.</summary>
    /// <param name="room">The maximum number of entries.</param>
    public Request Begin(int room)
    {
        lock (gate)
        {
            return Add(Math.Min(nextCount, room), isMeasured: true);
        }
    }

    /// <summary>
    /// Begins a request for the content of given entries. It does not change the size of later requests. Dispose the
    /// result after the entries are delivered.
    /// </summary>
    public Request BeginFetch(int count)
    {
        lock (gate)
        {
            return Add(count, isMeasured: false);
        }
    }

    /// <summary>Records that entries of a stream were renewed while they were in transit.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="ids">The entries.</param>
    /// <param name="sentAt">The time before the command was sent: this instance owned the entries then.</param>
    public void RecordRenewal(RedisKey stream, IEnumerable<RedisValue> ids, long sentAt)
    {
        lock (gate)
        {
            if (begunAt.Count > 0)
            {
                foreach (var id in ids)
                {
                    renewedAt[(stream, id)] = sentAt;
                }
            }
        }
    }

    /// <summary>Gets the time at which an entry was last known to be owned: its delivery or a later renewal.</summary>
    public long OwnedAt(RedisKey stream, RedisValue id, long deliveredAt)
    {
        lock (gate)
        {
            // The count is checked first, because it is usually 0.
            return renewedAt.Count > 0 && renewedAt.TryGetValue((stream, id), out var renewal)
                ? Math.Max(renewal, deliveredAt)
                : deliveredAt;
        }
    }

    private Request Add(int count, bool isMeasured)
    {
        var now = time.GetTimestamp();
        begunAt.Add(now);
        return new Request(this, count, now, isMeasured);
    }

    private void Measure(int entries, long bytes)
    {
        if (entries == 0)
        {
            return;
        }

        lock (gate)
        {
            // The average rises immediately and falls slowly: an answer that is too large costs more than one that is
            // too small.
            var entryBytes = Math.Max(1, (double)bytes / entries);
            averageEntryBytes = Math.Max(entryBytes, (averageEntryBytes + entryBytes) / 2);
            nextCount = (int)Math.Clamp(RequestBytes / averageEntryBytes, 1, Math.Min(MaxEntries, nextCount * 2));
        }
    }

    private void End(long requestBegunAt, bool hasFailed)
    {
        lock (gate)
        {
            if (hasFailed)
            {
                nextCount = Math.Max(1, nextCount / 2);
            }

            begunAt.Remove(requestBegunAt);
            if (begunAt.Count == 0)
            {
                renewedAt.Clear();
            }
        }
    }

    /// <summary>Represents an unfinished request for entries. Disposing it ends the request.</summary>
    public sealed class Request : IDisposable
    {
        private readonly EntryRequests owner;

        // True while a request that is measured has no answer.
        private bool awaitsAnswer;

        internal Request(EntryRequests owner, int count, long begunAt, bool isMeasured)
        {
            this.owner = owner;
            Count = count;
            BegunAt = begunAt;
            awaitsAnswer = isMeasured;
        }

        /// <summary>The number of entries to request.</summary>
        public int Count { get; }

        /// <summary>The time at which the request began.</summary>
        public long BegunAt { get; }

        /// <summary>Records the answer. A request for new entries that ends without this call has failed.</summary>
        /// <param name="entries">The number of entries in the answer.</param>
        /// <param name="bytes">The total size of the entries in bytes.</param>
        public void RecordAnswer(int entries, long bytes)
        {
            awaitsAnswer = false;
            owner.Measure(entries, bytes);
        }

        /// <inheritdoc cref="RecordAnswer(int, long)"/>
        /// <param name="answer">The number of entries in the answer, and their total size in bytes.</param>
        public void RecordAnswer((int Entries, long Bytes) answer) => RecordAnswer(answer.Entries, answer.Bytes);

        public void Dispose() => owner.End(BegunAt, hasFailed: awaitsAnswer);
    }
}
