using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Acknowledges handled entries, separately for each stream, so that a stream that cannot be acknowledged does not
/// delay others. Thread-safe.
/// </summary>
/// <param name="consumer">The consumer.</param>
/// <param name="entries">The entries that are held, from which acknowledged entries are removed.</param>
/// <param name="close">Abandons entries that are not yet acknowledged.</param>
internal sealed class RedisAckQueue(RedisConsumer consumer, UnackedEntries entries, CancellationToken close)
{
    private readonly Lock gate = new();
    private readonly Dictionary<RedisKey, (RedisStreamAckLoop Loop, Task Running)> streams = [];
    private bool isComplete;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Complaint
    {
        get
        {
            lock (gate)
            {
                return streams.Values.Select(each => each.Loop.Complaint).FirstOrDefault(each => each is not null);
            }
        }
    }

    /// <summary>Adds a handled entry. After <see cref="CompleteAsync"/> the entry stays pending.</summary>
    public void Add(UnackedEntry entry)
    {
        lock (gate)
        {
            if (isComplete)
            {
                return;
            }

            if (!streams.TryGetValue(entry.Stream, out var stream))
            {
                var loop = new RedisStreamAckLoop(entry.Stream, consumer, entries);
                streams.Add(entry.Stream, stream = (loop, loop.RunAsync(close)));
            }

            stream.Loop.Add(entry);
        }
    }

    /// <summary>Stops accepting entries.</summary>
    /// <returns>Completes when all entries that were added are acknowledged.</returns>
    public Task CompleteAsync()
    {
        lock (gate)
        {
            isComplete = true;
            foreach (var (loop, _) in streams.Values)
            {
                loop.Complete();
            }

            return Task.WhenAll(streams.Values.Select(stream => stream.Running));
        }
    }
}
