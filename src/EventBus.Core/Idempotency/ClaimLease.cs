using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Renews the lease of a claim while its handler runs.</summary>
internal sealed class ClaimLease : IAsyncDisposable
{
    private const string Leases = "idempotency leases";

    private readonly ProcessedEventStore store;
    private readonly EventClaim claim;
    private readonly TimeSpan duration;
    private readonly BusServices services;
    private readonly CancellationTokenSource lost = new();
    private readonly ITimer timer;
    private DateTimeOffset renewedAt;

    public ClaimLease(ProcessedEventStore store, EventClaim claim, TimeSpan duration, BusServices services)
    {
        (this.store, this.claim, this.duration, this.services) = (store, claim, duration, services);
        Lost = lost.Token;
        renewedAt = services.StoreTime.GetUtcNow();
        timer = services.StoreTime.CreateTimer(_ => services.Runner.Observe(RenewAsync()), null, duration / 3, duration / 3);
    }

    /// <summary>Cancelled when another attempt may have the claim.</summary>
    public CancellationToken Lost { get; }

    public async ValueTask DisposeAsync()
    {
        await timer.DisposeAsync();
        lost.Dispose();
    }

    private async Task RenewAsync()
    {
        var now = services.StoreTime.GetUtcNow();
        try
        {
            if (await store.RenewAsync(claim.Key, claim.FencingToken, now + duration, CancellationToken.None))
            {
                renewedAt = now;
                services.Log.Working(Leases);
                return;
            }
        }
        catch (Exception exception)
        {
            services.Log.Failing(Leases, exception, full => full.LoopFailed(Leases, exception));
            if (renewedAt + duration > services.StoreTime.GetUtcNow())
            {
                return;
            }
        }

        try
        {
            await lost.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The attempt ended while the renewal was running.
        }
    }
}
