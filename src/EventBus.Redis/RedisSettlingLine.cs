using System.Runtime.InteropServices;
using System.Threading.Channels;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Acknowledges what waits of one stream, together. What fails is tried again until the receiver closes; what is refused for good is dropped.</summary>
internal sealed class RedisSettlingLine(RedisKey stream, RedisReceiver receiver, RedisMember member)
{
    private const int Batch = 256;

    public async Task RunAsync(ChannelReader<HeldEntry> waiting, CancellationToken close)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var batch = new List<HeldEntry>(Batch);
        var failures = 0;
        while (batch.Count > 0 || await waiting.WaitToReadAsync(close))
        {
            while (batch.Count < Batch && waiting.TryRead(out var entry))
            {
                batch.Add(entry);
            }

            try
            {
                await member.Connector.AnswerAsync(member.Group.AckAsync(stream, [.. batch.Select(entry => entry.Id)]), close);
            }
            catch (Exception exception) when (RedisPlace.IsGone(exception) || RedisPlace.IsWrongType(exception))
            {
                // There is nothing any more that could be acknowledged.
                member.Log.NotAcknowledged(batch.Count, stream!, member.Subscription.Name, exception);
            }
            catch (Exception) when (!close.IsCancellationRequested)
            {
                await Task.Delay(RedisBackoff.After(++failures), member.Names.Time, close);
                continue;
            }

            receiver.Held.Remove(CollectionsMarshal.AsSpan(batch));
            batch.ForEach(entry => entry.Dispose());
            batch.Clear();
            failures = 0;
        }
    }
}
