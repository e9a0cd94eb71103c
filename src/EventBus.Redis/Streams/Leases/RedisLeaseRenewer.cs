namespace EventBus;

/// <summary>Renews a lease while the read loop holds it, and drops it in time if it cannot be renewed.</summary>
internal sealed class RedisLeaseRenewer(RedisOrderedReadLoop reading, RedisLease lease, RedisConsumer member)
{
    /// <summary>Renews the lease, and ends the epoch before another instance can begin one.</summary>
    public async Task RunAsync(CancellationToken close)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var tick = member.ClaimAfter / 12;
        var renewIn = TimeSpan.Zero;
        while (!close.IsCancellationRequested)
        {
            var before = member.Names.Time.GetTimestamp();
            if (lease.Token is { } token)
            {
                if (lease.Remaining is var remaining && remaining <= TimeSpan.Zero)
                {
                    reading.LoseLease(token);
                }
                else if (renewIn <= TimeSpan.Zero)
                {
                    renewIn = await RenewAsync(token, remaining, close) ? member.ClaimAfter / 3 : TimeSpan.Zero;
                }
            }

            await Task.Delay(tick, member.Names.Time, close).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            renewIn -= member.Names.Time.GetElapsedTime(before);
        }
    }

    private async Task<bool> RenewAsync(string token, TimeSpan remaining, CancellationToken close)
    {
        try
        {
            if (!await member.Connector.AnswerAsync(lease.RenewAsync(), close).WaitAsync(remaining, member.Names.Time, close))
            {
                reading.LoseLease(token);
            }

            return true;
        }
        catch (Exception)
        {
            return false;
        }
    }
}
