using System.Runtime.ExceptionServices;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// For a subscription with a leading wildcard, finds the streams that are created after the start, and reads them from
/// their first entry. For any subscription, adds an excluded stream (wrong type of key, no access) as soon as it can be
/// read again.
/// </summary>
internal sealed class RedisStreamDiscovery
{
    // The purpose in the texts "cannot ...".
    private const string Purpose = "start to read new or previously excluded streams";

    private static readonly TimeSpan CheckPeriod = TimeSpan.FromSeconds(1);

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
            FirstDelay = CheckPeriod,
            MaxDelay = CheckPeriod,

            // An outage is reported by the read loop.
            IsReportedElsewhere = RedisErrors.IsOutage,
        };
    }

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => supervisor.LastError is { } error
        ? $"The subscription '{consumer.Subscription.Name}' cannot {Purpose}: {error.Message}"
        : null;

    // True for a subscription with a leading wildcard.
    private bool ReadsNewStreams => RedisTopology.IsOpen(consumer.Subscription);

    public async Task RunAsync(CancellationToken stop)
    {
        scannedAt = consumer.Time.GetTimestamp();

        // Nothing is new yet: the read loop creates the group in the streams that exist now.
        await Task.Delay(CheckPeriod, consumer.Time, stop).Quietly();
        await supervisor.RunAsync(DiscoverAsync, stop);
    }

    private async Task DiscoverAsync(CancellationToken stop)
    {
        while (true)
        {
            var candidates = ReadsNewStreams
                ? await consumer.Connector.AnswerAsync(consumer.Positions.Catalog.KnownStreamsAsync(), stop)
                : [.. consumer.Positions.Excluded];
            await AddAsync(candidates, stop);
            var isScanDue = ReadsNewStreams && consumer.Time.GetElapsedTime(scannedAt) >= ScanPeriod;
            if (isScanDue)
            {
                await ScanAsync(stop);
            }

            // An error may concern a stream that only a scan finds. With a wildcard, only a completed scan therefore
            // ends an error. Without a wildcard there are no scans, and all candidates have just been added.
            if (isScanDue || !ReadsNewStreams || supervisor.LastError is null)
            {
                supervisor.Succeeded();
            }

            await Task.Delay(CheckPeriod, consumer.Time, stop);
        }
    }

    private async Task ScanAsync(CancellationToken stop)
    {
        scannedAt = consumer.Time.GetTimestamp();
        using var limit = stop.WithTimeout(RedisGroupPositions.ScanTimeout, consumer.Time);
        await AddAsync(await consumer.Positions.Catalog.ScanAsync(limit.Token).WaitAsync(limit.Token), stop);
    }

    /// <summary>Adds the streams that are not read yet. Throws the first error at the end.</summary>
    private async Task AddAsync(RedisKey[] candidates, CancellationToken stop)
    {
        ExceptionDispatchInfo? first = null;
        foreach (var stream in candidates.Except(consumer.Group.Streams).Where(consumer.Names.IsStream))
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
