namespace EventBus;

/// <summary>Renews a lease while this instance holds it, and drops it before it expires at the server.</summary>
/// <param name="consumer">The consumer.</param>
/// <param name="lease">The lease.</param>
/// <param name="settler">Ends the epoch when the lease is lost.</param>
/// <param name="reading">The read loop, which reports outages.</param>
internal sealed class RedisLeaseRenewer(RedisConsumer consumer, RedisLease lease, OrderedEntrySettler settler, RedisReadLoop reading)
{
    // Checked more often than the lease is renewed, so that the end of the lease is detected in time.
    private readonly MaintenanceLoop loop = new(consumer, "renew its lease", consumer.ClaimAfter / 12, reading);
    private long? lastRenewal;

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => loop.Problem;

    /// <summary>Renews the lease, and ends the epoch before another instance can begin one.</summary>
    public Task RunAsync(CancellationToken close) => loop.RunAsync(CheckAsync, close);

    private async Task CheckAsync(CancellationToken close)
    {
        var token = lease.Token;
        if (token is null)
        {
            return;
        }

        var remaining = lease.Remaining;
        if (remaining <= TimeSpan.Zero)
        {
            settler.LoseLease(token);
            return;
        }

        var isDue = lastRenewal is null || consumer.Time.GetElapsedTime(lastRenewal.Value) >= consumer.ClaimAfter / 3;
        if (isDue)
        {
            var sentAt = consumer.Time.GetTimestamp();
            var isHeld = await consumer.Connector.AnswerAsync(lease.RenewAsync(), close).WaitAsync(remaining, consumer.Time, close);
            if (!isHeld)
            {
                settler.LoseLease(token);
            }

            lastRenewal = sentAt;
        }
    }
}
