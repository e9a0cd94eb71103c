using System.Runtime.InteropServices;
using System.Threading.Channels;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Acknowledges whatever is waiting, together. What fails is tried again until the receiver closes.</summary>
internal sealed class RedisSettling(RedisReceiver receiver, RedisMember member)
{
    private const int Batch = 256;

    private readonly Channel<HeldEntry> acknowledged = Channel.CreateUnbounded<HeldEntry>();

    public void Add(HeldEntry entry) => acknowledged.Writer.TryWrite(entry);

    /// <summary>Nothing more is added.</summary>
    public void Complete() => acknowledged.Writer.TryComplete();

    public async Task RunAsync(CancellationToken close)
    {
        var batch = new List<HeldEntry>(Batch);
        var failures = 0;
        while (batch.Count > 0 || await acknowledged.Reader.WaitToReadAsync(close))
        {
            while (batch.Count < Batch && acknowledged.Reader.TryRead(out var entry))
            {
                batch.Add(entry);
            }

            try
            {
                await Task.WhenAll(batch.GroupBy(entry => entry.Stream).Select(stream => member.Group.AckAsync(stream.Key, [.. stream.Select(entry => entry.Id)])))
                    .WaitAsync(RedisConnector.Answer, member.Names.Time, close);
                receiver.Held.Remove(CollectionsMarshal.AsSpan(batch));
                batch.ForEach(entry => entry.Dispose());

                failures = 0;
                batch.Clear();
            }
            catch (Exception exception) when (exception is RedisException or TimeoutException)
            {
                await Task.Delay(RedisBackoff.After(++failures), member.Names.Time, close);
            }
        }
    }
}
