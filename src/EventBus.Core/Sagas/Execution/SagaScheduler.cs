using EventBus.Stores;

namespace EventBus;

/// <summary>Claims the sagas that are due, up to the concurrency limit, and starts to process them.</summary>
internal sealed class SagaScheduler(SagaCatalog catalog, DueSagaReader reader, SagaDriver driver, SagaSlots slots, BusServices services)
{
    private const int MaxClaims = 64;

    /// <summary>Starts the sagas that are due.</summary>
    /// <returns>The time of the next call; null if none is known, so that the loop waits until it is woken.</returns>
    public async Task<DateTimeOffset?> StartDueAsync(CancellationToken stop)
    {
        reader.CheckClock();
        var freeSlots = Math.Min(slots.Free, MaxClaims);
        if (freeSlots <= 0)
        {
            // The next saga that ends wakes the loop.
            return null;
        }

        // The list may contain sagas that this instance is processing: after a pause of the process, their leases have
        // ended and are not renewed yet. Their number is added to the requested one, so that others are found too.
        var due = await reader.ListDueAsync(catalog.Names, freeSlots + slots.Count, stop);
        var reserved = due.Entries.Where(entry => slots.TryReserve(entry.Id)).Take(freeSlots).ToList();
        await Task.WhenAll(reserved.Select(ClaimAndStartAsync));
        services.Idle.Set();

        // If every free slot was used, more sagas may be due, so the next call follows at once.
        return reserved.Count == freeSlots ? services.StoreTime.GetUtcNow() : due.NextDue;
    }

    /// <summary>
    /// Claims a saga that has a slot, and starts to process it; frees the slot if that is not possible.
    /// </summary>
    private async Task ClaimAndStartAsync(SagaEntry entry)
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
                await driver.DelayAsync(saga, entry, exception);
            }
            finally
            {
                driver.FreeSlot(entry.Id);
            }

            return;
        }

        if (leased is null)
        {
            // The saga was postponed, needs attention, or was changed by another instance. The woken loop reads the
            // next due time again.
            driver.FreeSlot(entry.Id);
        }
        else
        {
            driver.Start(saga, leased);
        }
    }
}
