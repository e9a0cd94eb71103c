using System.Threading.Channels;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Acknowledges handled entries, separately for each stream, so that a stream that cannot be acknowledged does not
/// delay others. Thread-safe.
/// </summary>
/// <param name="receiver">The receiver that holds the entries.</param>
/// <param name="member">The consumer.</param>
/// <param name="close">Abandons entries that are not yet acknowledged.</param>
internal sealed class RedisAckLoop(RedisReceiver receiver, RedisConsumer member, CancellationToken close)
{
    private readonly Lock gate = new();
    private readonly Dictionary<RedisKey, (Channel<UnackedEntry> Waiting, RedisStreamAckQueue Line, Task Running)> lines = [];
    private bool isComplete;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Complaint
    {
        get
        {
            lock (gate)
            {
                return lines.Values.Select(each => each.Line.Complaint).FirstOrDefault(each => each is not null);
            }
        }
    }

    public void Add(UnackedEntry entry)
    {
        lock (gate)
        {
            if (isComplete)
            {
                return;
            }

            if (!lines.TryGetValue(entry.Stream, out var line))
            {
                var waiting = Channel.CreateUnbounded<UnackedEntry>(new UnboundedChannelOptions { SingleReader = true });
                var settling = new RedisStreamAckQueue(entry.Stream, receiver, member);
                lines.Add(entry.Stream, line = (waiting, settling, settling.RunAsync(waiting.Reader, close)));
            }

            line.Waiting.Writer.TryWrite(entry);
        }
    }

    /// <summary>Stops accepting entries.</summary>
    /// <returns>Completes when all entries that were added are acknowledged.</returns>
    public Task CompleteAsync()
    {
        lock (gate)
        {
            isComplete = true;
            foreach (var line in lines.Values)
            {
                line.Waiting.Writer.TryComplete();
            }

            return Task.WhenAll(lines.Values.Select(line => line.Running));
        }
    }
}
