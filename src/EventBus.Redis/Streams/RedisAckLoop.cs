using System.Threading.Channels;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Acknowledges what was handled, for each stream by itself: one that cannot be acknowledged holds up no other. Thread-safe.</summary>
/// <param name="receiver">What the acknowledged entries are held by.</param>
/// <param name="member">The consumer.</param>
/// <param name="close">Gives up what is not settled.</param>
internal sealed class RedisAckLoop(RedisReceiver receiver, RedisConsumer member, CancellationToken close)
{
    private readonly Lock gate = new();
    private readonly Dictionary<RedisKey, (Channel<UnackedEntry> Waiting, RedisStreamAckQueue Line, Task Running)> lines = [];
    private bool isComplete;

    /// <summary>What an operator should look at; null when there is nothing.</summary>
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

    /// <summary>Nothing more is added.</summary>
    /// <returns>Completes when everything that was added is settled.</returns>
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
