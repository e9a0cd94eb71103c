using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Saves sagas. Every change is a compare-and-swap that merges the replies which other instances have added meanwhile.
/// Thread-safe.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="refusals">Determines whether a failed save concerns only its saga.</param>
/// <param name="lease">The duration of a lease, which every save renews.</param>
/// <param name="services">The clock and the log.</param>
/// <param name="closing">
/// Cancelled when the bus closes: a little later than the steps are cancelled, so that their results can be saved.
/// </param>
internal sealed class SagaRepository(
    SagaStore store,
    SagaRefusals refusals,
    TimeSpan lease,
    BusServices services,
    CancellationToken closing)
{
    private readonly LeasedSagaStore leasedSagas = new(store, lease, services, closing);
    private readonly SagaSaveRetry retry = new(refusals, services, closing);

    /// <summary>Cancelled when the bus closes.</summary>
    public CancellationToken Closing => closing;

    /// <summary>True if at least one write waits because the store does not accept it.</summary>
    public bool StoreIsDown => retry.StoreIsDown;

    /// <summary>Returns the end of a lease that begins now.</summary>
    public DateTimeOffset LeaseFrom(DateTimeOffset now) => now + lease;

    /// <summary>Changes a leased saga and saves it. Retries for as long as the store is unavailable.</summary>
    /// <param name="leased">The saga.</param>
    /// <param name="change">Changes the progress. Called once.</param>
    /// <param name="createEntry">
    /// Creates the entry to save from the changed progress, the last saved entry and the new end of the lease. Its
    /// content is set afterwards. Called again for each attempt to save.
    /// </param>
    /// <exception cref="SagaLeaseLostException">Another instance has claimed it: nothing was changed.</exception>
    /// <exception cref="StoreRefusedException">The store accepts other writes but not this one.</exception>
    /// <exception cref="OperationCanceledException">The bus closed before the store accepted the write.</exception>
    public async Task SaveAsync(
        LeasedSaga leased,
        Action<SagaProgress> change,
        Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> createEntry)
    {
        await leased.Gate.WaitAsync(closing);
        try
        {
            if (leased.IsDispatched)
            {
                leased.Progress.Outbox = [];
                leased.IsDispatched = false;
            }

            change(leased.Progress);
            await retry.RunAsync(leased, () => leasedSagas.SaveAsync(leased, createEntry));
        }
        finally
        {
            leased.Gate.Release();
        }
    }

    /// <summary>Changes a saga without a lease. Repeats the change after each conflict with another write.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="change">Creates the new entry from the current one; null to leave it unchanged.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The saved entry; null if there is no saga with this id, or if it was left unchanged.</returns>
    public async ValueTask<SagaEntry?> ChangeAsync(string id, Func<SagaEntry, SagaEntry?> change, CancellationToken cancellationToken)
    {
        while (true)
        {
            var entry = await store.FindAsync(id, cancellationToken);
            var changed = entry is null ? null : change(entry);
            if (changed is null)
            {
                return null;
            }

            if (await store.SaveAsync(changed, cancellationToken))
            {
                return changed with { Version = changed.Version + 1 };
            }

            // Even if the store reports a conflict again and again, the loop does not block the thread of the caller
            // and ends at the deadline.
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>
    /// Renews the lease of a saga by a separate save, unless the saga is being saved or was released in the meantime.
    /// </summary>
    /// <param name="leased">The saga.</param>
    /// <param name="margin">Renews only a lease with less time left.</param>
    /// <returns>False if the saga is being saved, which also renews the lease.</returns>
    /// <exception cref="SagaLeaseLostException">Another instance has claimed it.</exception>
    /// <exception cref="OperationCanceledException">The bus closed.</exception>
    public async Task<bool> RenewAsync(LeasedSaga leased, TimeSpan margin)
    {
        if (leased.Gate.CurrentCount == 0)
        {
            return false;
        }

        await leased.Gate.WaitAsync(closing);
        try
        {
            if (leased.Progress.Held && leased.LeaseEnd <= services.StoreTime.GetUtcNow() + margin)
            {
                await leasedSagas.SaveAsync(leased, static (_, entry, leaseEnd) => entry with { DueAt = leaseEnd });
            }

            return true;
        }
        finally
        {
            leased.Gate.Release();
        }
    }
}
