using System.Runtime.ExceptionServices;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Adds streams that appear later to subscriptions with a leading wildcard, from their first entry on. Also adds, to
/// any subscription, the excluded streams that can be read again.
/// </summary>
internal sealed class RedisStreamDiscovery(RedisConsumer member)
{
    private const string Purpose = "find streams that appear";

    private static readonly TimeSpan AskPeriod = TimeSpan.FromSeconds(1);

    // A scan of all keys takes the server some time if there are many.
    private static readonly TimeSpan ScanPeriod = TimeSpan.FromSeconds(10);

    private readonly string activity = $"{member.Subscription.Name}: {Purpose}";
    private volatile string? failure;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Complaint => failure is { } said ? $"The subscription '{member.Subscription.Name}' cannot {Purpose}: {said}" : null;

    public async Task RunAsync(CancellationToken stop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var scannedAt = member.Names.Time.GetTimestamp();
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(AskPeriod, member.Names.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                var isOpen = RedisTopology.IsOpen(member.Subscription);
                var isScan = isOpen && member.Names.Time.GetElapsedTime(scannedAt) >= ScanPeriod;
                await TakeInAsync(isOpen ? await member.Connector.AnswerAsync(member.Place.Directory.KnownAsync(), stop) : [.. member.Place.LeftOut], stop);
                if (isScan)
                {
                    scannedAt = member.Names.Time.GetTimestamp();
                    using var timeout = new CancellationTokenSource(RedisGroupPositions.ScanTimeout, member.Names.Time);
                    using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
                    await TakeInAsync(await member.Place.Directory.ScanAsync(limit.Token).WaitAsync(limit.Token), stop);
                }

                // Between two scans it is unknown whether the next one succeeds.
                failure = isScan || !isOpen ? null : failure;
                if (failure is null)
                {
                    member.Log.Working(activity);
                }
            }
            catch (Exception exception) when (stop.IsCancellationRequested || RedisErrors.IsOutage(exception))
            {
                // The reading loop reports an outage; the next round asks again.
            }
            catch (Exception exception)
            {
                member.Log.Failing(activity, exception, full => full.UpkeepFails(member.Subscription.Name, Purpose, exception));
                failure = exception.Message;
            }
        }
    }

    private async Task TakeInAsync(RedisKey[] found, CancellationToken stop)
    {
        ExceptionDispatchInfo? first = null;
        foreach (var stream in found.Except(member.Group.Streams).Where(member.Names.IsStream))
        {
            try
            {
                await member.Connector.AnswerAsync(member.Place.TakeInAsync(stream), stop);
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
