using System.Runtime.InteropServices;
using System.Threading.Channels;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Acknowledges the handled entries of one stream in batches. Failures are retried until the receiver closes; permanent
/// refusals are dropped. Repeated refusals for other reasons are logged once and reported by the health check.
/// </summary>
internal sealed class RedisStreamAckQueue(RedisKey stream, RedisReceiver receiver, RedisConsumer member)
{
    private const int Batch = 256;

    // The number of consecutive failures from which on they are reported.
    private const int Few = 3;

    private readonly string activity = $"{member.Subscription.Name}: acknowledging of {stream}";
    private volatile string? complaint;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Complaint => complaint;

    public async Task RunAsync(ChannelReader<UnackedEntry> waiting, CancellationToken close)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var batch = new List<UnackedEntry>(Batch);
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
            catch (Exception exception) when (RedisErrors.IsGone(exception) || RedisErrors.IsOfKey(exception))
            {
                // The group no longer exists, or the right to it is missing. A retry would occupy the capacity for
                // events of other streams.
                member.Log.NotAcknowledged(batch.Count, stream!, member.Subscription.Name, exception);
            }
            catch (Exception exception) when (!close.IsCancellationRequested)
            {
                if (++failures >= Few && !RedisErrors.IsOutage(exception))
                {
                    member.Log.Failing(activity, exception, full => full.UpkeepFails(member.Subscription.Name, $"acknowledge what it has handled of {stream}", exception));
                    complaint = $"The subscription '{member.Subscription.Name}' cannot acknowledge what it has handled of '{stream}': {exception.Message}";
                }

                await Task.Delay(RedisBackoff.After(failures), member.Names.Time, close);
                continue;
            }

            receiver.Held.Remove(CollectionsMarshal.AsSpan(batch));
            batch.ForEach(entry => entry.Dispose());
            batch.Clear();
            (failures, complaint) = (0, null);
            member.Log.Working(activity);
        }
    }
}
