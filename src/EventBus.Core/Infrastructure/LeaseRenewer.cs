using System.Collections.Concurrent;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Renews leases from their acquisition to their release. A lease that could not be renewed before its end is lost.
/// Thread-safe.
/// </summary>
/// <remarks>
/// A renewal that fails is repeated after the next period. A renewal that hangs delays only the leases of its batch.
/// </remarks>
/// <typeparam name="TLease">The type of the leases.</typeparam>
/// <param name="activity">The name of the renewals in the log.</param>
/// <param name="period">The time between two renewals.</param>
/// <param name="margin">The time before its end at which a lease that was not renewed is lost.</param>
/// <param name="services">The clock and the log.</param>
internal abstract class LeaseRenewer<TLease>(string activity, TimeSpan period, TimeSpan margin, BusServices services)
    where TLease : Lease
{
    // The values are not used.
    private readonly ConcurrentDictionary<TLease, bool> held = new();

    /// <summary>The maximum number of leases that are renewed together. Default: each lease by itself.</summary>
    protected virtual int BatchSize => 1;

    /// <summary>The clock of the leases.</summary>
    protected TimeProvider Time { get; } = services.StoreTime;

    protected ILogger Log { get; } = services.Log;

    /// <summary>Renews a lease until <see cref="Release"/>.</summary>
    public void Hold(TLease lease) => held.TryAdd(lease, true);

    /// <summary>Stops renewing a lease.</summary>
    /// <returns>False if it was not held.</returns>
    public bool Release(TLease lease) => held.TryRemove(lease, out _);

    /// <summary>Renews the leases that are held, until the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(period, Time, stop);
            StartRenewals(stop);
        }
    }

    /// <summary>Renews leases: sets their ends, and loses those that another instance has taken over.</summary>
    /// <returns>True if the store was called and accepted it, which ends an outage of the renewals.</returns>
    protected abstract Task<bool> RenewAsync(IReadOnlyList<TLease> leases, CancellationToken stop);

    /// <summary>True if a lease has to be renewed now. Default: at each period.</summary>
    protected virtual bool IsDue(TLease lease, DateTimeOffset now) => true;

    /// <summary>Cancels the work under leases, because other instances may have taken over.</summary>
    protected virtual void Lose(IEnumerable<TLease> leases)
    {
        foreach (var lease in leases)
        {
            lease.Lose();
        }
    }

    private void StartRenewals(CancellationToken stop)
    {
        var now = Time.GetUtcNow();
        var due = new List<TLease>();
        foreach (var (lease, _) in held)
        {
            if (!lease.Renewing.IsCompleted)
            {
                LoseExpiring([lease]);
            }
            else if (!lease.Lost.IsCancellationRequested && IsDue(lease, now))
            {
                due.Add(lease);
            }
        }

        foreach (var batch in due.Chunk(BatchSize))
        {
            var renewing = TryRenewAsync(batch, stop);
            Array.ForEach(batch, lease => lease.Renewing = renewing);
        }
    }

    private async Task TryRenewAsync(TLease[] leases, CancellationToken stop)
    {
        try
        {
            if (await RenewAsync(leases, stop))
            {
                Log.Working(activity);
            }
        }
        catch (Exception) when (stop.IsCancellationRequested)
        {
            // The bus closes. Other instances continue after the leases have ended.
        }
        catch (Exception exception)
        {
            Log.Failing(activity, exception, logger => logger.LoopFailed(activity, exception));
            LoseExpiring(leases);
        }
    }

    /// <summary>Loses those of the leases that have ended, or end within the margin.</summary>
    private void LoseExpiring(IReadOnlyList<TLease> leases)
    {
        var now = Time.GetUtcNow();
        Lose(leases.Where(lease => lease.LeaseEnd - now <= margin));
    }
}
