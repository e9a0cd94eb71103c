namespace EventBus;

/// <summary>Renews a lease while this instance holds it, and drops it in time if it cannot be renewed.</summary>
/// <param name="consumer">The consumer.</param>
/// <param name="lease">The lease.</param>
/// <param name="settler">Ends the epoch when the lease is lost.</param>
/// <param name="reading">The read loop, which reports outages.</param>
internal sealed class RedisLeaseRenewer(RedisConsumer consumer, RedisLease lease, OrderedEntrySettler settler, RedisReadLoop reading)
{
    // A check that fails is repeated within the same time.
    private readonly MaintenanceLoop loop = new(consumer, "renew its lease", consumer.ClaimAfter / 12, reading);
    private long? renewedAt;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => loop.Problem;

    /// <summary>Renews the lease, and ends the epoch before another instance can begin one.</summary>
    public Task RunAsync(CancellationToken close) => loop.RunAsync(CheckAsync, close);

    private async Task CheckAsync(CancellationToken close)
    {
        if (lease.Token is not { } token)
        {
            return;
        }

        var remaining = lease.Remaining;
        if (remaining <= TimeSpan.Zero)
        {
            settler.LoseLease(token);
        }
        else if (renewedAt is not { } last || consumer.Time.GetElapsedTime(last) >= consumer.ClaimAfter / 3)
        {
            var now = consumer.Time.GetTimestamp();
            var isRenewed = await consumer.Connector.AnswerAsync(lease.RenewAsync(), close).WaitAsync(remaining, consumer.Time, close);
            if (!isRenewed)
            {
                settler.LoseLease(token);
            }

            renewedAt = now;
        }
    }
}
