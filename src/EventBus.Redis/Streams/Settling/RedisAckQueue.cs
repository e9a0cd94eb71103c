using System.Runtime.InteropServices;
using System.Threading.Channels;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Acknowledges the handled entries of one stream in batches. A failed acknowledgement is retried until the receiver
/// closes; if it fails repeatedly, that is logged and reported by the health check. An acknowledgement that Redis
/// refuses permanently is logged and dropped.
/// </summary>
internal sealed class RedisAckQueue
{
    private const int MaxBatchEntries = 256;

    // The first failures in a row are not reported, because a retry usually succeeds.
    private const int FirstReportedFailure = 3;

    private readonly RedisKey stream;
    private readonly RedisConsumer consumer;
    private readonly UnackedEntries entries;
    private readonly SupervisedLoop supervisor;

    // If the loop waits, it continues on the thread that adds an entry: handing over to another thread would take
    // longer than to send the acknowledgement, which does not block.
    private readonly Channel<UnackedEntry> waiting = Channel.CreateUnbounded<UnackedEntry>(
        new UnboundedChannelOptions { SingleReader = true, AllowSynchronousContinuations = true });

    // The entries of the current batch. When an attempt fails, they stay in it for the next attempt.
    private readonly List<UnackedEntry> batch = new(MaxBatchEntries);

    public RedisAckQueue(RedisKey stream, RedisConsumer consumer, UnackedEntries entries)
    {
        this.stream = stream;
        this.consumer = consumer;
        this.entries = entries;
        supervisor = new SupervisedLoop(
            $"{consumer.Subscription.Name}: acknowledging of {stream}",
            consumer.Time,
            consumer.Log,
            (logger, _, error) => logger.MaintenanceFails(consumer.Subscription.Name, $"acknowledge handled events of {stream}", error))
        {
            FirstDelay = RedisConnector.FirstRetryDelay,
            IsReportedElsewhere = error => RedisErrors.IsOutage(error) || supervisor!.Failures < FirstReportedFailure,
        };
    }

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => supervisor.LastError is { } error
        ? $"The subscription '{consumer.Subscription.Name}' cannot acknowledge handled events of '{stream}': {error.Message}"
        : null;

    /// <summary>Adds a handled entry. After <see cref="Complete"/> the entry stays pending.</summary>
    public void Add(UnackedEntry entry) => waiting.Writer.TryWrite(entry);

    /// <summary>Ends the loop after the entries that were added.</summary>
    public void Complete() => waiting.Writer.TryComplete();

    public async Task RunAsync(CancellationToken close)
    {
        // A wait without a token costs less, and the completion ends it too.
        using var registration = close.UnsafeRegister(static queue => ((RedisAckQueue)queue!).Complete(), this);
        await supervisor.RunAsync(AcknowledgeAsync, close);
    }

    private async Task AcknowledgeAsync(CancellationToken close)
    {
        while (batch.Count > 0 || await waiting.Reader.WaitToReadAsync(CancellationToken.None))
        {
            while (batch.Count < MaxBatchEntries && waiting.Reader.TryRead(out var entry))
            {
                batch.Add(entry);
            }

            try
            {
                await consumer.Group.AckAsync(stream, IdsOf(batch), close);
            }
            catch (Exception exception) when (RedisErrors.IsGroupMissing(exception) || RedisErrors.IsOfKey(exception))
            {
                // The group no longer exists, or the key cannot be used. While the entries waited for a retry, they
                // would occupy the capacity for events of other streams.
                consumer.Log.NotAcknowledged(batch.Count, stream!, consumer.Subscription.Name, exception);
            }

            entries.Remove(CollectionsMarshal.AsSpan(batch));
            foreach (var entry in batch)
            {
                entry.Dispose();
            }

            batch.Clear();
            supervisor.Succeeded();
            supervisor.Progressed();
        }
    }

    private static RedisValue[] IdsOf(List<UnackedEntry> batch)
    {
        var ids = new RedisValue[batch.Count];
        for (var i = 0; i < ids.Length; i++)
        {
            ids[i] = batch[i].Id;
        }

        return ids;
    }
}
