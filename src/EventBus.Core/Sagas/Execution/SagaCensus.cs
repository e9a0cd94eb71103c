using EventBus.Stores;

namespace EventBus;

/// <summary>Counts the sagas of a store.</summary>
internal sealed class SagaCensus(SagaStore store, SagaCatalog catalog, BusServices services)
{
    /// <summary>True if any saga that this application has is due now.</summary>
    public async Task<bool> IsAnyDueAsync() =>
        (await store.ListDueAsync(catalog.Names, services.StoreTime.GetUtcNow(), 1, CancellationToken.None)).Entries.Count > 0;

    /// <summary>Counts the sagas that have not ended.</summary>
    public Task<long> CountAliveAsync() => CountAsync(null, CancellationToken.None);

    /// <summary>
    /// Logs the number of stored sagas that have not ended and whose names this application does not have: after a
    /// class was renamed, the sagas stored under its old name are not continued.
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

    /// <summary>Counts the sagas of one name that have not ended; null for all names.</summary>
    private async Task<long> CountAsync(string? name, CancellationToken cancellationToken)
    {
        var count = 0L;
        foreach (var status in Enum.GetValues<SagaStatus>().Where(status => !SagaTransitions.IsEnd(status)))
        {
            count += await store.CountAsync(new SagaFilter { Saga = name, Status = status }, cancellationToken);
        }

        return count;
    }
}
