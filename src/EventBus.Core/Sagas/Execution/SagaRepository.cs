using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Saves sagas. Every change is a compare-and-swap that merges replies received in the meantime. Thread-safe.
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
    private const string Saves = "saves of sagas";

    private static readonly Backoff RetryDelays = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));

    private readonly TimeProvider time = services.StoreTime;
    private int heldWrites;

    /// <summary>Cancelled when the bus closes.</summary>
    public CancellationToken Closing => closing;

    /// <summary>True if at least one write waits because the store does not accept it.</summary>
    public bool StoreIsDown => Volatile.Read(ref heldWrites) > 0;

    /// <summary>Gets the end of a lease that begins now.</summary>
    public DateTimeOffset LeaseFrom(DateTimeOffset now) => now + lease;

    /// <summary>Changes a leased saga and saves it. Retries for as long as the store is unavailable.</summary>
    /// <param name="leased">The saga.</param>
    /// <param name="change">Changes the progress. Called once.</param>
    /// <param name="where">
    /// Creates the entry to save from the changed progress, the last entry and the end of the lease. Called again for
    /// each attempt to save.
    /// </param>
    /// <exception cref="SagaLeaseLostException">Another instance has claimed it: nothing was changed.</exception>
    /// <exception cref="StoreRefusedException">The store accepts other writes but not this one.</exception>
    /// <exception cref="OperationCanceledException">The bus closed before the store accepted the write.</exception>
    public async Task SaveAsync(
        LeasedSaga leased,
        Action<SagaProgress> change,
        Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> where)
    {
        await leased.Gate.WaitAsync(closing);
        try
        {
            if (leased.IsDispatched)
            {
                (leased.Progress.Outbox, leased.IsDispatched) = ([], false);
            }

            change(leased.Progress);
            await SaveGatedAsync(leased, where);
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
    /// <returns>The saved entry; null if there is none, or if it was left unchanged.</returns>
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
    /// Renews the lease of a saga by a save of its own, unless it is being saved or was released in the meantime.
    /// </summary>
    /// <param name="leased">The saga.</param>
    /// <param name="margin">Renews only a lease with less time left.</param>
    /// <returns>False if it is being saved, which also renews the lease.</returns>
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
            if (leased.Progress.Held && leased.LeaseEnd <= time.GetUtcNow() + margin)
            {
                await SaveOnceAsync(leased, static (_, entry, until) => entry with { DueAt = until });
            }

            return true;
        }
        finally
        {
            leased.Gate.Release();
        }
    }

    /// <summary>Saves the progress of a saga whose gate the caller holds.</summary>
    /// <exception cref="StoreRefusedException">The store accepts other writes but not this one.</exception>
    private async Task SaveGatedAsync(LeasedSaga leased, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> where)
    {
        var proofs = 0;
        var attempt = 0;
        while (true)
        {
            attempt++;
            try
            {
                await SaveOnceAsync(leased, where);
                services.Log.Working(Saves);
                return;
            }
            catch (Exception exception) when (exception is not SagaLeaseLostException && !closing.IsCancellationRequested)
            {
                var delay = RetryDelays.After(attempt);
                LogNotSaved(leased, attempt, delay, exception);
                var concernsEntry = await refusals.ConcernsEntryAsync(leased.Entry, exception);
                if (concernsEntry && exception is not StoreRefusedException)
                {
                    proofs++;
                }

                if (concernsEntry && (exception is StoreRefusedException || proofs == SagaRefusals.Proofs))
                {
                    throw exception as StoreRefusedException ?? new StoreRefusedException(
                        StoreScope.Entry,
                        $"The store accepts other sagas, but not this one ({exception.GetType()}).",
                        exception);
                }

                await WaitAsync(delay, concernsEntry);
            }
        }
    }

    private void LogNotSaved(LeasedSaga leased, int attempt, TimeSpan delay, Exception exception) =>
        services.Log.Failing(
            Saves,
            exception,
            logger => logger.SagaNotSaved(leased.Definition.Name, leased.Id, attempt, delay, exception));

    private async Task WaitAsync(TimeSpan delay, bool concernsEntry)
    {
        var held = concernsEntry ? 0 : 1;
        Interlocked.Add(ref heldWrites, held);
        try
        {
            await Task.Delay(delay, time, closing);
        }
        finally
        {
            Interlocked.Add(ref heldWrites, -held);
        }
    }

    private async Task SaveOnceAsync(LeasedSaga leased, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> where)
    {
        while (true)
        {
            var now = time.GetUtcNow();
            var until = now + lease;
            var entry = where(leased.Progress, leased.Entry, until) with { ChangedAt = now, Content = leased.Progress.Write() };
            if (await store.SaveAsync(entry, closing))
            {
                (leased.Entry, leased.LeaseEnd) = (entry with { Version = entry.Version + 1 }, until);
                return;
            }

            var current = await store.FindAsync(leased.Id, closing);
            if (current is null || current.Claim != leased.Entry.Claim)
            {
                leased.Lose();
                throw new SagaLeaseLostException();
            }

            if (current.Content.Span.SequenceEqual(entry.Content.Span))
            {
                // The saga was saved, but the answer was lost. Its alert may have been claimed since.
                (leased.Entry, leased.LeaseEnd) = (current, current.DueAt ?? until);
                return;
            }

            TakeIn(leased, current, entry.WaitKey);
        }
    }

    /// <summary>
    /// Merges the replies of the stored entry: an instance without the lease may only add replies. A reply belongs to
    /// the step that was active when it arrived, not to the step that this write begins.
    /// </summary>
    private void TakeIn(LeasedSaga leased, SagaEntry current, string? waitKey)
    {
        leased.Entry = leased.Entry with { Version = current.Version };
        var stored = SagaProgress.Read(current.Content, out _);
        foreach (var reply in stored?.Inbox.FindAll(reply => !leased.Progress.HasReceived(reply.EventId)) ?? [])
        {
            if (leased.Progress.IsForActiveStep(reply, waitKey))
            {
                leased.Progress.Inbox.Add(reply);
            }
            else
            {
                leased.Progress.Forget(reply);
                SagaReplies.Ignore(reply, leased.Definition.Name, leased.Id, services);
            }
        }
    }
}
