using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Saves sagas. Every change is a compare-and-swap that merges replies received in the meantime. Renews the leases of
/// the sagas that this instance processes. Thread-safe.
/// </summary>
internal sealed class SagaRepository(SagaStore store, TimeSpan lease, BusServices services, CancellationToken closing)
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestRefusal = TimeSpan.FromMinutes(1);

    // A saga counts as refused after this many failed writes during which the store accepted another write.
    private const int Proofs = 4;

    private const string Saves = "saves of sagas";
    private const string Leases = "saga leases";
    private const string Refusals = "saves of sagas that the store does not take";

    private const string NoSaga = "eventbus/probe";

    private readonly ConcurrentDictionary<string, LeasedSaga> held = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Refusal> refused = new(StringComparer.Ordinal);
    private readonly TimeProvider time = services.StoreTime;

    // The remaining lease time from which a lease is renewed. The check runs every sixth of the lease: a renewal begins
    // with at least half of the lease left, and the next attempt with a third, so that a busy machine does not lose its
    // leases.
    private readonly TimeSpan renewFrom = lease * 2 / 3;
    private int heldWrites;

    /// <summary>
    /// Cancelled when the bus closes: a little later than the steps are cancelled, so that their results can be saved.
    /// </summary>
    public CancellationToken Closing => closing;

    /// <summary>True if at least one write waits because the store does not accept it.</summary>
    public bool StoreIsDown => Volatile.Read(ref heldWrites) > 0;

    /// <summary>The ids of the sagas that the store refuses in any form while it accepts others.</summary>
    public IReadOnlyList<string> Refused => [.. refused.Where(saga => !IsStale(saga.Value)).Select(saga => saga.Key).Order(StringComparer.Ordinal)];

    public DateTimeOffset LeaseFrom(DateTimeOffset now) => now + lease;

    /// <summary>Renews the lease of the saga until the saga is disposed.</summary>
    public void Hold(LeasedSaga hold) => held[hold.Id] = hold;

    public void LetGo(LeasedSaga hold) => held.TryRemove(new KeyValuePair<string, LeasedSaga>(hold.Id, hold));

    /// <summary>Records that a saga could be written, which ends its refusal.</summary>
    public void Accept(string id)
    {
        if (refused.TryRemove(id, out _) && refused.IsEmpty)
        {
            services.Log.Working(Refusals);
        }
    }

    /// <summary>Delays a saga that is not leased and whose write failed, so that others continue.</summary>
    /// <returns>True if the store accepts others and has refused this saga explicitly or several times.</returns>
    /// <exception cref="Exception">The store accepts no writes: <paramref name="error"/>.</exception>
    public async Task<bool> RefuseAsync(SagaEntry entry, Exception error)
    {
        if (!await ConcernsEntryAsync(entry, error))
        {
            ExceptionDispatchInfo.Throw(error);
        }

        foreach (var (id, _) in refused.Where(saga => IsStale(saga.Value)))
        {
            refused.TryRemove(id, out _);
        }

        var failures = refused.TryGetValue(entry.Id, out var earlier) ? earlier.Failures + 1 : 1;
        var backoff = TimeSpan.FromSeconds(Math.Min(1 << Math.Min(failures - 1, 10), LongestRefusal.TotalSeconds));
        refused[entry.Id] = new Refusal(failures, time.GetUtcNow() + backoff);
        services.Log.Failing(Refusals, error, full => full.SagaNotSaved(entry.Saga, entry.Id, failures, backoff, error));
        return error is StoreRefusedException || failures >= Proofs;
    }

    /// <summary>
    /// True if a saga may be tried now; otherwise <paramref name="retryAt"/> is the time of the next attempt.
    /// </summary>
    public bool MayTry(string id, out DateTimeOffset retryAt)
    {
        retryAt = refused.TryGetValue(id, out var refusal) ? refusal.RetryAt : default;
        return retryAt <= time.GetUtcNow();
    }

    /// <summary>Changes a leased saga and saves it. Retries for as long as the store is unavailable.</summary>
    /// <param name="hold">The saga.</param>
    /// <param name="change">Changes the progress. Called once.</param>
    /// <param name="where">
    /// Creates the entry to save from the changed progress, the last entry and the end of the lease. Called again for
    /// each attempt to save.
    /// </param>
    /// <exception cref="SagaLeaseLostException">Another instance has claimed it: nothing was changed.</exception>
    /// <exception cref="StoreRefusedException">The store accepts other writes but not this one.</exception>
    /// <exception cref="OperationCanceledException">The bus closed before the store accepted the write.</exception>
    public async Task SaveAsync(LeasedSaga hold, Action<SagaProgress> change, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> where)
    {
        await hold.Gate.WaitAsync(closing);
        try
        {
            if (hold.IsDispatched)
            {
                (hold.Progress.Outbox, hold.IsDispatched) = ([], false);
            }

            change(hold.Progress);
            await SaveGatedAsync(hold, where);
        }
        finally
        {
            hold.Gate.Release();
        }
    }

    /// <summary>Changes a saga without a lease. Repeats the change after each conflict with another write.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="change">Creates the new entry from the current one; null to leave it unchanged.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The saved entry; null if there is none, or if it was left unchanged.</returns>
    public async ValueTask<SagaEntry?> ChangeAsync(string id, Func<SagaEntry, SagaEntry?> change, CancellationToken cancellationToken)
    {
        while (await store.FindAsync(id, cancellationToken) is { } entry)
        {
            if (change(entry) is not { } changed)
            {
                return null;
            }

            if (await store.SaveAsync(changed, cancellationToken))
            {
                return changed with { Version = changed.Version + 1 };
            }

            // However often the store reports a conflict, the loop neither blocks the caller's thread nor exceeds its
            // deadline.
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
        }

        return null;
    }

    /// <summary>
    /// Renews the leases of the sagas in progress. A renewal that hangs does not delay the others; its saga is given up
    /// before the lease ends.
    /// </summary>
    public async Task RunAsync(CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(lease / 6, time, stop);
            foreach (var hold in held.Values)
            {
                var now = time.GetUtcNow();
                if (hold.Renewing.IsCompleted)
                {
                    hold.Renewing = hold.LeaseEnd > now + renewFrom || hold.Lost.IsCancellationRequested ? Task.CompletedTask : RenewAsync(hold);
                }
                else if (hold.LeaseEnd <= now + (lease / 6))
                {
                    hold.Lose();
                }
            }
        }
    }

    private async Task RenewAsync(LeasedSaga hold)
    {
        if (hold.Gate.CurrentCount == 0)
        {
            // It is being saved, which also renews the lease.
            return;
        }

        try
        {
            await hold.Gate.WaitAsync(closing);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        try
        {
            // It may have been saved or released in the meantime.
            if (hold.Progress.Held && hold.LeaseEnd <= time.GetUtcNow() + renewFrom)
            {
                await SaveOnceAsync(hold, static (_, entry, until) => entry with { DueAt = until });
            }

            services.Log.Working(Leases);
        }
        catch (SagaLeaseLostException)
        {
            // The processing of the saga is cancelled by the saga's Lost token.
        }
        catch (Exception exception)
        {
            services.Log.Failing(Leases, exception, full => full.LoopFailed(Leases, exception));
            if (hold.LeaseEnd <= time.GetUtcNow() + (lease / 6))
            {
                hold.Lose();
            }
        }
        finally
        {
            hold.Gate.Release();
        }
    }

    /// <exception cref="StoreRefusedException">The store accepts other writes but not this one.</exception>
    private async Task SaveGatedAsync(LeasedSaga hold, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> where)
    {
        var (backoff, proofs) = (FirstBackoff, 0);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await SaveOnceAsync(hold, where);
                services.Log.Working(Saves);
                return;
            }
            catch (Exception exception) when (exception is not SagaLeaseLostException && !closing.IsCancellationRequested)
            {
                LogNotSaved(hold, attempt, backoff, exception);
                var concernsEntry = await ConcernsEntryAsync(hold.Entry, exception);
                if (concernsEntry && (exception is StoreRefusedException || ++proofs == Proofs))
                {
                    throw exception as StoreRefusedException ?? new StoreRefusedException(StoreScope.Entry, $"The store takes other sagas and not this one ({exception.GetType()}).", exception);
                }

                await WaitAsync(backoff, concernsEntry);
            }

            backoff = backoff * 2 < LongestBackoff ? backoff * 2 : LongestBackoff;
        }
    }

    private void LogNotSaved(LeasedSaga hold, int attempt, TimeSpan backoff, Exception exception) =>
        services.Log.Failing(Saves, exception, full => full.SagaNotSaved(hold.Definition.Name, hold.Id, attempt, backoff, exception));

    /// <summary>
    /// True if the refusal was not followed by another attempt: the saga is no longer due, or no longer exists.
    /// </summary>
    private bool IsStale(Refusal refusal) => refusal.RetryAt + LongestRefusal <= time.GetUtcNow();

    private async Task WaitAsync(TimeSpan backoff, bool concernsEntry)
    {
        var held = concernsEntry ? 0 : 1;
        Interlocked.Add(ref heldWrites, held);
        try
        {
            await Task.Delay(backoff, time, closing);
        }
        finally
        {
            Interlocked.Add(ref heldWrites, -held);
        }
    }

    /// <summary>True if a failed write concerns only its saga and not the whole store.</summary>
    private async Task<bool> ConcernsEntryAsync(SagaEntry entry, Exception error)
    {
        if (error is StoreRefusedException refused)
        {
            return refused.Scope == StoreScope.Entry;
        }

        try
        {
            // No saga has version 0: the store compares the version and changes nothing.
            await store.SaveAsync(entry with { Id = NoSaga, Version = 0, Content = ReadOnlyMemory<byte>.Empty }, closing);
            return true;
        }
        catch (Exception) when (!closing.IsCancellationRequested)
        {
            return false;
        }
    }

    private async Task SaveOnceAsync(LeasedSaga hold, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> where)
    {
        while (true)
        {
            var now = time.GetUtcNow();
            var until = now + lease;
            var entry = where(hold.Progress, hold.Entry, until) with { ChangedAt = now, Content = hold.Progress.Write() };
            if (await store.SaveAsync(entry, closing))
            {
                (hold.Entry, hold.LeaseEnd) = (entry with { Version = entry.Version + 1 }, until);
                return;
            }

            var current = await store.FindAsync(hold.Id, closing);
            if (current is null || current.Claim != hold.Entry.Claim)
            {
                hold.Lose();
                throw new SagaLeaseLostException();
            }

            if (current.Content.Span.SequenceEqual(entry.Content.Span))
            {
                // It was saved but the answer was lost. Its alert may have been claimed since.
                (hold.Entry, hold.LeaseEnd) = (current, current.DueAt ?? until);
                return;
            }

            TakeIn(hold, current, entry.WaitKey);
        }
    }

    /// <summary>
    /// Merges the replies of the stored entry: an instance without the lease may only add replies. A reply belongs to
    /// the step that was active when it arrived, not to the step that this write begins.
    /// </summary>
    private void TakeIn(LeasedSaga hold, SagaEntry current, string? waitKey)
    {
        hold.Entry = hold.Entry with { Version = current.Version };
        foreach (var reply in SagaProgress.Read(current.Content, out _)?.Inbox.FindAll(reply => !hold.Progress.Knows(reply.EventId)) ?? [])
        {
            if (hold.Progress.Concerns(reply, waitKey))
            {
                hold.Progress.Inbox.Add(reply);
            }
            else
            {
                hold.Progress.Forget(reply);
                SagaReplies.Ignore(reply, hold.Definition.Name, hold.Id, services);
            }
        }
    }

    /// <summary>The number of consecutive failed writes of a saga, and the time of the next attempt.</summary>
    private readonly record struct Refusal(int Failures, DateTimeOffset RetryAt);
}
