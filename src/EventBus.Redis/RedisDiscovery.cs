using StackExchange.Redis;

namespace EventBus;

/// <summary>Brings streams that appear later to a subscription with a wildcard in front, from their first entry on; and to any subscription the streams that were left out because their keys held something else.</summary>
internal sealed class RedisDiscovery(RedisMember member)
{
    private static readonly TimeSpan AskPeriod = TimeSpan.FromSeconds(1);

    // Going through all keys takes the server a while when there are many.
    private static readonly TimeSpan ScanPeriod = TimeSpan.FromSeconds(10);

    private readonly RedisDirectory directory = new(member.Group.Database, member.Names);

    public async Task RunAsync(CancellationToken stop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var scannedAt = member.Names.Time.GetTimestamp();
        while (!stop.IsCancellationRequested)
        {
            await Task.Delay(AskPeriod, member.Names.Time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                if (!RedisTopology.IsOpen(member.Subscription))
                {
                    await TakeInAsync([.. member.Place.LeftOut], stop);
                    continue;
                }

                await TakeInAsync(await member.Connector.AnswerAsync(directory.KnownAsync(), stop), stop);
                if (member.Names.Time.GetElapsedTime(scannedAt) >= ScanPeriod)
                {
                    using var timeout = new CancellationTokenSource(RedisPlace.ScanTimeout, member.Names.Time);
                    using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
                    await TakeInAsync(await directory.ScanAsync(limit.Token).WaitAsync(limit.Token), stop);
                    scannedAt = member.Names.Time.GetTimestamp();
                }
            }
            catch (Exception)
            {
                // The reading loop reports an outage; the next round asks again.
            }
        }
    }

    private async Task TakeInAsync(RedisKey[] found, CancellationToken stop)
    {
        foreach (var stream in found.Except(member.Group.Streams).Where(member.Names.IsStream))
        {
            try
            {
                await member.Connector.AnswerAsync(member.Place.TakeInAsync(stream), stop);
            }
            catch (Exception exception) when (exception is RedisServerException)
            {
                // The others are taken in all the same; the next round asks again.
            }
        }
    }
}
