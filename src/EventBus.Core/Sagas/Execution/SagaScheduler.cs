using EventBus.Stores;

namespace EventBus;

/// <summary>Claims the sagas that are due, up to the concurrency limit, and starts to process them.</summary>
internal sealed class SagaScheduler(SagaCatalog catalog, DueSagaReader reader, SagaDriver driver, SagaSlots slots, BusServices services)
{
    private const int ClaimSize = 64;

    /// <summary>Starts the sagas that are due.</summary>
    /// <returns>The time of the next call; null when the end of a saga wakes the loop.</returns>
    public async Task<DateTimeOffset?> StartDueAsync(CancellationToken stop)
    {
        reader.Look();
        var room = Math.Min(slots.Free, ClaimSize);
        if (room <= 0)
        {
            // The next saga that ends wakes the loop.
            return null;
        }

        // Sagas in progress are due only after their lease has ended. After a pause of the process they may be due
        // before they are renewed, so their number is added to the requested one.
        var due = await reader.ListDueAsync(catalog.Names, room + slots.Count, stop);
        var taking = due.Entries.Where(entry => slots.TryReserve(entry.Id)).Take(room).ToList();
        await Task.WhenAll(taking.Select(TakeAsync));
        services.Idle.Set();
        return taking.Count == room ? services.StoreTime.GetUtcNow() : due.NextDue;
    }

    private async Task TakeAsync(SagaEntry entry)
    {
        var saga = catalog[entry.Saga];
        LeasedSaga? leased;
        try
        {
            leased = await reader.ClaimAsync(saga, entry);
        }
        catch (Exception exception)
        {
            try
            {
                await driver.RefuseAsync(saga, entry, exception);
            }
            finally
            {
                driver.Skip(entry.Id);
            }

            return;
        }

        if (leased is not null)
        {
            driver.Start(saga, leased);
            return;
        }

        // The saga was postponed, or another instance claimed it first. In both cases the next due time has changed.
        driver.Skip(entry.Id);
    }
}
