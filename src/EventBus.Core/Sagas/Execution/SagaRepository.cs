using EventBus.Stores;
using EventBus.Transports;

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
    // Names the saves in the log.
    private const string Activity = "saves of sagas";

    private static readonly Backoff RetryDelays = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));

    private readonly TimeProvider time = services.StoreTime;

    // The number of writes that wait because the store accepts no writes.
    private int heldWrites;

    /// <summary>Cancelled when the bus closes.</summary>
    public CancellationToken Closing => closing;

    /// <summary>True if at least one write waits because the store does not accept it.</summary>
    public bool StoreIsDown => Volatile.Read(ref heldWrites) > 0;

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
            await SaveGatedAsync(leased, createEntry);
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
            if (leased.Progress.Held && leased.LeaseEnd <= time.GetUtcNow() + margin)
            {
                await SaveOnceAsync(leased, static (_, entry, leaseEnd) => entry with { DueAt = leaseEnd });
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
    private async Task SaveGatedAsync(LeasedSaga leased, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> createEntry)
    {
        var attempt = 0;

        // The number of attempts that failed although the store accepted another write.
        var refusedAttempts = 0;
        while (true)
        {
            attempt++;
            try
            {
                await SaveOnceAsync(leased, createEntry);
                services.Log.Working(Activity);
                return;
            }
            catch (Exception exception) when (exception is not SagaLeaseLostException && !closing.IsCancellationRequested)
            {
                var delay = RetryDelays.After(attempt);
                LogNotSaved(leased, attempt, delay, exception);
                var concernsEntry = await refusals.ConcernsEntryAsync(leased.Entry, exception);
                if (concernsEntry)
                {
                    refusedAttempts++;
                    if (exception is StoreRefusedException)
                    {
                        throw;
                    }

                    if (refusedAttempts == SagaRefusals.FailuresUntilRefused)
                    {
                        throw new StoreRefusedException(
                            StoreScope.Entry,
                            $"The store accepts other sagas, but not this one ({exception.GetType()}).",
                            exception);
                    }
                }

                await WaitAsync(delay, isHeld: !concernsEntry);
            }
        }
    }

    private void LogNotSaved(LeasedSaga leased, int attempt, TimeSpan delay, Exception exception) =>
        services.Log.Failing(
            Activity,
            exception,
            logger => logger.SagaNotSaved(leased.Definition.Name, leased.Id, attempt, delay, exception));

    /// <summary>Waits for the next attempt.</summary>
    /// <param name="delay">The time to wait.</param>
    /// <param name="isHeld">True if the store accepts no writes, so that the waiting write counts as held.</param>
    private async Task WaitAsync(TimeSpan delay, bool isHeld)
    {
        var held = isHeld ? 1 : 0;
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

    /// <summary>Saves the progress, and repeats the save after a conflict with another write.</summary>
    private async Task SaveOnceAsync(LeasedSaga leased, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> createEntry)
    {
        while (true)
        {
            var now = time.GetUtcNow();
            var leaseEnd = LeaseFrom(now);
            var entry = createEntry(leased.Progress, leased.Entry, leaseEnd) with { ChangedAt = now, Content = leased.Progress.Write() };
            if (await store.SaveAsync(entry, closing))
            {
                leased.Entry = entry with { Version = entry.Version + 1 };
                leased.LeaseEnd = leaseEnd;
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
                // An earlier attempt has saved the saga, but its answer was lost. The stored entry may be newer,
                // because its alert may have been claimed since then.
                leased.Entry = current;
                leased.LeaseEnd = current.DueAt ?? leaseEnd;
                return;
            }

            MergeReplies(leased, current, entry.WaitKey);
        }
    }

    /// <summary>
    /// Merges the replies of the stored entry into the progress. Nothing else can have changed, because an instance
    /// without the lease only adds replies. A reply belongs to the step that was active when it arrived, not to the
    /// step that this write begins.
    /// </summary>
    private void MergeReplies(LeasedSaga leased, SagaEntry current, string? waitKey)
    {
        leased.Entry = leased.Entry with { Version = current.Version };
        var stored = SagaProgress.Read(current.Content, out _);
        var added = stored?.Inbox.FindAll(reply => !leased.Progress.HasReceived(reply.EventId)) ?? [];
        foreach (var reply in added)
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
