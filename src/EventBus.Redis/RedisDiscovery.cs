using StackExchange.Redis;

namespace EventBus;

/// <summary>Brings streams that appear later to a subscription with a wildcard in front, from their first entry on.</summary>
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
                await TakeInAsync(await directory.KnownAsync().WaitAsync(RedisConnector.Answer, member.Names.Time, stop), stop);
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
            await member.Place.TakeInAsync(stream).WaitAsync(RedisConnector.Answer, member.Names.Time, stop);
        }
    }
}
