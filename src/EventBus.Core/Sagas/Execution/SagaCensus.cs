using EventBus.Stores;

namespace EventBus;

/// <summary>Counts the sagas of a store.</summary>
internal sealed class SagaCensus(SagaStore store, SagaCatalog catalog, BusServices services)
{
    /// <summary>True if any saga is due now, on any instance.</summary>
    public async Task<bool> IsAnyDueAsync() =>
        (await store.ListDueAsync(catalog.Names, services.StoreTime.GetUtcNow(), 1, CancellationToken.None)).Entries.Count > 0;

    /// <summary>Counts the sagas that have not ended.</summary>
    public Task<long> CountAliveAsync() => CountAsync(null, CancellationToken.None);

    /// <summary>
    /// Logs the number of stored sagas whose names this application does not know. Without this, the sagas that were
    /// stored under the old name of a renamed class would stop without notice.
    /// </summary>
    public async Task ReportUnknownAsync(CancellationToken stop)
    {
        try
        {
            var all = await CountAsync(null, stop);
            var known = await Task.WhenAll(catalog.Names.Select(name => CountAsync(name, stop)));
            var unknown = all - known.Sum();
            if (unknown > 0)
            {
                services.Log.SagasUnknown(unknown);
            }
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            services.Log.LoopFailed("sagas", exception);
        }
    }

    private async Task<long> CountAsync(string? name, CancellationToken cancellationToken)
    {
        var alive = 0L;
        foreach (var status in Enum.GetValues<SagaStatus>().Where(status => !SagaTransitions.IsEnd(status)))
        {
            alive += await store.CountAsync(new SagaFilter { Saga = name, Status = status }, cancellationToken);
        }

        return alive;
    }
}
