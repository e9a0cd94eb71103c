using System.Collections.Concurrent;
using EventBus.Transports;

namespace EventBus;

/// <summary>Renews the leases of the sagas that this instance processes. Thread-safe.</summary>
internal sealed class SagaLeaseRenewer(SagaRepository repository, TimeSpan lease, BusServices services)
{
    private const string Leases = "saga leases";

    private readonly ConcurrentDictionary<string, LeasedSaga> held = new(StringComparer.Ordinal);
    private readonly TimeProvider time = services.StoreTime;

    // The remaining lease time from which a lease is renewed. The check runs every sixth of the lease: a renewal begins
    // with at least half of the lease left, and the next attempt with a third, so that a busy machine does not lose its
    // leases.
    private readonly TimeSpan renewFrom = lease * 2 / 3;

    /// <summary>Renews the lease of the saga until <see cref="Release"/>.</summary>
    public void Hold(LeasedSaga leased) => held[leased.Id] = leased;

    /// <summary>Stops renewing the lease of the saga.</summary>
    public void Release(LeasedSaga leased) => held.TryRemove(new KeyValuePair<string, LeasedSaga>(leased.Id, leased));

    /// <summary>
    /// Renews the leases of the sagas in progress. A renewal that hangs does not delay the others; its saga is given up
    /// before the lease ends.
    /// </summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(lease / 6, time, stop);
            foreach (var leased in held.Values)
            {
                var now = time.GetUtcNow();
                if (leased.Renewing.IsCompleted)
                {
                    leased.Renewing = leased.LeaseEnd > now + renewFrom || leased.Lost.IsCancellationRequested
                        ? Task.CompletedTask
                        : RenewAsync(leased);
                }
                else if (leased.LeaseEnd <= now + (lease / 6))
                {
                    leased.Lose();
                }
            }
        }
    }

    private async Task RenewAsync(LeasedSaga leased)
    {
        try
        {
            if (await repository.RenewAsync(leased, renewFrom))
            {
                services.Log.Working(Leases);
            }
        }
        catch (Exception exception) when (exception is SagaLeaseLostException || repository.Closing.IsCancellationRequested)
        {
            // The bus closes, or the lease of this saga is lost, which its Lost token reports.
        }
        catch (Exception exception)
        {
            services.Log.Failing(Leases, exception, logger => logger.LoopFailed(Leases, exception));
            if (leased.LeaseEnd <= time.GetUtcNow() + (lease / 6))
            {
                leased.Lose();
            }
        }
    }
}
