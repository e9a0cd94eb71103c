using System.Runtime.InteropServices;
using System.Threading.Channels;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Acknowledges the handled entries of one stream in batches. Failures are retried until the receiver closes; permanent
/// refusals are dropped. Repeated refusals for other reasons are logged and reported by the health check.
/// </summary>
internal sealed class RedisAckQueue
{
    private const int Batch = 256;

    // The number of consecutive failures after which they are logged.
    private const int FailuresBeforeLog = 3;

    private readonly RedisKey stream;
    private readonly RedisConsumer consumer;
    private readonly UnackedEntries entries;
    private readonly SupervisedLoop supervisor;
    private readonly Channel<UnackedEntry> waiting =
        Channel.CreateUnbounded<UnackedEntry>(new UnboundedChannelOptions { SingleReader = true });

    // The entries of the current batch. They stay in it when an attempt fails, and are acknowledged by the next
    // attempt.
    private readonly List<UnackedEntry> batch = new(Batch);

    public RedisAckQueue(RedisKey stream, RedisConsumer consumer, UnackedEntries entries)
    {
        (this.stream, this.consumer, this.entries) = (stream, consumer, entries);
        supervisor = new SupervisedLoop(
            $"{consumer.Subscription.Name}: acknowledging of {stream}",
            consumer.Time,
            consumer.Log,
            (logger, _, error) => logger.MaintenanceFails(consumer.Subscription.Name, $"acknowledge handled events of {stream}", error))
        {
            FirstDelay = RedisConnector.FirstRetryDelay,
            IsReportedElsewhere = error => RedisErrors.IsOutage(error) || supervisor!.Failures < FailuresBeforeLog,
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

    public Task RunAsync(CancellationToken close) => supervisor.RunAsync(AcknowledgeAsync, close);

    private async Task AcknowledgeAsync(CancellationToken close)
    {
        while (batch.Count > 0 || await waiting.Reader.WaitToReadAsync(close))
        {
            while (batch.Count < Batch && waiting.Reader.TryRead(out var entry))
            {
                batch.Add(entry);
            }

            try
            {
                await consumer.Group.AckAsync(stream, [.. batch.Select(entry => entry.Id)], close);
            }
            catch (Exception exception) when (RedisErrors.IsGone(exception) || RedisErrors.IsOfKey(exception))
            {
                // The group no longer exists, or the right to it is missing. A retry would occupy the capacity for
                // events of other streams.
                consumer.Log.NotAcknowledged(batch.Count, stream!, consumer.Subscription.Name, exception);
            }

            entries.Remove(CollectionsMarshal.AsSpan(batch));
            batch.ForEach(entry => entry.Dispose());
            batch.Clear();
            supervisor.Succeeded();
            supervisor.Progressed();
        }
    }
}
