using System.Runtime.ExceptionServices;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Finds streams that are created after the start, for a subscription with a leading wildcard, and reads them from
/// their first entry. For any subscription, also finds the excluded streams (wrong type of key, no access) that can be
/// read again.
/// </summary>
internal sealed class RedisStreamDiscovery
{
    private const string Purpose = "find streams that appear";

    private static readonly TimeSpan AskPeriod = TimeSpan.FromSeconds(1);

    // A scan of all keys takes the server some time if there are many.
    private static readonly TimeSpan ScanPeriod = TimeSpan.FromSeconds(10);

    private readonly RedisConsumer consumer;
    private readonly SupervisedLoop supervisor;
    private long scannedAt;

    public RedisStreamDiscovery(RedisConsumer consumer)
    {
        this.consumer = consumer;
        var name = consumer.Subscription.Name;
        supervisor = new SupervisedLoop(
            $"{name}: {Purpose}",
            consumer.Time,
            consumer.Log,
            (logger, _, error) => logger.MaintenanceFails(name, Purpose, error))
        {
            FirstDelay = AskPeriod,
            MaxDelay = AskPeriod,

            // An outage is reported by the read loop.
            IsReportedElsewhere = RedisErrors.IsOutage,
        };
    }

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => supervisor.LastError is { } error
        ? $"The subscription '{consumer.Subscription.Name}' cannot {Purpose}: {error.Message}"
        : null;

    private bool IsOpen => RedisTopology.IsOpen(consumer.Subscription);

    public async Task RunAsync(CancellationToken stop)
    {
        scannedAt = consumer.Time.GetTimestamp();

        // The read loop creates the group in the streams that exist now.
        await Task.Delay(AskPeriod, consumer.Time, stop).Quietly();
        await supervisor.RunAsync(DiscoverAsync, stop);
    }

    private async Task DiscoverAsync(CancellationToken stop)
    {
        while (true)
        {
            var known = IsOpen
                ? await consumer.Connector.AnswerAsync(consumer.Positions.Catalog.KnownStreamsAsync(), stop)
                : [.. consumer.Positions.Excluded];
            await AddAsync(known, stop);
            var isScanDue = IsOpen && consumer.Time.GetElapsedTime(scannedAt) >= ScanPeriod;
            if (isScanDue)
            {
                await ScanAsync(stop);
            }

            // After an error, only a scan shows that the error is over. Without a wildcard there are no scans.
            if (isScanDue || !IsOpen || supervisor.LastError is null)
            {
                supervisor.Succeeded();
            }

            await Task.Delay(AskPeriod, consumer.Time, stop);
        }
    }

    private async Task ScanAsync(CancellationToken stop)
    {
        scannedAt = consumer.Time.GetTimestamp();
        using var limit = stop.WithTimeout(RedisGroupPositions.ScanTimeout, consumer.Time);
        await AddAsync(await consumer.Positions.Catalog.ScanAsync(limit.Token).WaitAsync(limit.Token), stop);
    }

    private async Task AddAsync(RedisKey[] found, CancellationToken stop)
    {
        ExceptionDispatchInfo? first = null;
        foreach (var stream in found.Except(consumer.Group.Streams).Where(consumer.Names.IsStream))
        {
            try
            {
                await consumer.Connector.AnswerAsync(consumer.Positions.AddStreamAsync(stream), stop);
            }
            catch (Exception exception) when (!RedisErrors.IsOutage(exception))
            {
                // The other streams are still added.
                first ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        first?.Throw();
    }
}
