using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Keeps what is known of sagas: every change is a compare-and-swap, and replies that came meanwhile are taken in. Renews the leases of those that this instance works on. Thread-safe.</summary>
internal sealed class SagaRepository(SagaStore store, TimeSpan lease, RunEnvironment environment, CancellationToken closing)
{
    private static readonly TimeSpan FirstBackoff = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestRefusal = TimeSpan.FromMinutes(1);

    // That many times the store takes something else, and not the saga.
    private const int Proofs = 4;

    private const string Saves = "saves of sagas";
    private const string Leases = "saga leases";
    private const string Refusals = "saves of sagas that the store does not take";

    private const string NoSaga = "eventbus/probe";

    private readonly ConcurrentDictionary<string, LeasedSaga> held = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Refusal> refused = new(StringComparer.Ordinal);
    private readonly TimeProvider time = environment.Time;

    // At the next look a third would be left still: a busy machine does not lose what it holds.
    private readonly TimeSpan renewFrom = lease * 2 / 3;
    private int heldWrites;

    /// <summary>Cancelled when the bus closes: a little later than the steps are, so that how they ended can be kept.</summary>
    public CancellationToken Closing => closing;

    /// <summary>At least one write is held, because the store does not take it.</summary>
    public bool StoreIsDown => Volatile.Read(ref heldWrites) > 0;

    /// <summary>The sagas that the store does not take in any form, while it takes others.</summary>
    public IReadOnlyList<string> Refused => [.. refused.Where(saga => !IsStale(saga.Value)).Select(saga => saga.Key).Order(StringComparer.Ordinal)];

    public DateTimeOffset LeaseFrom(DateTimeOffset now) => now + lease;

    /// <summary>Keeps the lease until the saga is let go.</summary>
    public void Hold(LeasedSaga hold) => held[hold.Id] = hold;

    public void LetGo(LeasedSaga hold) => held.TryRemove(new KeyValuePair<string, LeasedSaga>(hold.Id, hold));

    /// <summary>A saga could be written: nothing is wrong with it any more.</summary>
    public void Accept(string id)
    {
        if (refused.TryRemove(id, out _) && refused.IsEmpty)
        {
            environment.Log.Working(Refusals);
        }
    }

    /// <summary>A write of a saga that is not held failed: it is left alone for a while, and others go on.</summary>
    /// <returns>The store takes others, and it was certain or seen several times that it does not take this one.</returns>
    /// <exception cref="Exception">The store takes nothing: <paramref name="error"/>.</exception>
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
        environment.Log.Failing(Refusals, error, full => full.SagaNotSaved(entry.Saga, entry.Id, failures, backoff, error));
        return error is StoreRefusedException || failures >= Proofs;
    }

    /// <summary>Whether a saga may be tried; and when one that may not is tried again.</summary>
    public bool MayTry(string id, out DateTimeOffset retryAt)
    {
        retryAt = refused.TryGetValue(id, out var refusal) ? refusal.RetryAt : default;
        return retryAt <= time.GetUtcNow();
    }

    /// <summary>Changes a held saga and saves it, however long the store is down.</summary>
    /// <param name="hold">The saga.</param>
    /// <param name="change">Changes the progress. Called once.</param>
    /// <param name="where">Says where the entry stands then; called again when replies have come meanwhile.</param>
    /// <exception cref="SagaLeaseLostException">Another instance has it now: nothing was changed.</exception>
    /// <exception cref="StoreRefusedException">The store takes other writes, and not this one.</exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store took it.</exception>
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

    /// <summary>Changes a saga that nobody need hold, as often as somebody else was quicker.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="change">Makes the new entry of the latest; null to leave it alone.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>The entry as it is kept now; null when there is none, or it was left alone.</returns>
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

            // Not on the caller's thread, and not beyond its deadline, however often the store says no.
            await Task.Yield();
            cancellationToken.ThrowIfCancellationRequested();
        }

        return null;
    }

    /// <summary>Renews the leases of what is held. One whose renewal hangs holds up no other, and is let go before its lease ends.</summary>
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
            // It is being saved, which renews it too.
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
            // It may have been saved in between, or let go.
            if (hold.Progress.Held && hold.LeaseEnd <= time.GetUtcNow() + renewFrom)
            {
                await SaveOnceAsync(hold, static (_, entry, until) => entry with { DueAt = until });
            }

            environment.Log.Working(Leases);
        }
        catch (SagaLeaseLostException)
        {
            // Whoever works on it finds out by its token.
        }
        catch (Exception exception)
        {
            environment.Log.Failing(Leases, exception, full => full.LoopFailed(Leases, exception));
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

    /// <exception cref="StoreRefusedException">The store takes other writes, and not this one.</exception>
    private async Task SaveGatedAsync(LeasedSaga hold, Func<SagaProgress, SagaEntry, DateTimeOffset, SagaEntry> where)
    {
        var (backoff, proofs) = (FirstBackoff, 0);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await SaveOnceAsync(hold, where);
                environment.Log.Working(Saves);
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
        environment.Log.Failing(Saves, exception, full => full.SagaNotSaved(hold.Definition.Name, hold.Id, attempt, backoff, exception));

    /// <summary>Nobody has tried since: the saga is not due any more, or gone.</summary>
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

    /// <summary>Whether a failed write says something of its saga, and nothing of the store.</summary>
    private async Task<bool> ConcernsEntryAsync(SagaEntry entry, Exception error)
    {
        if (error is StoreRefusedException refused)
        {
            return refused.Scope == StoreScope.Entry;
        }

        try
        {
            // No saga has version 0: the store compares, and changes nothing.
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
                // It was saved, and the answer was lost; an alert may have been claimed since.
                (hold.Entry, hold.LeaseEnd) = (current, current.DueAt ?? until);
                return;
            }

            TakeIn(hold, current, entry.WaitKey);
        }
    }

    /// <summary>Whoever does not hold a saga may add replies to it, and nothing else. A reply belongs to the step for which it was taken in, and not to the one that this write begins.</summary>
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
                SagaReplies.Ignore(reply, hold.Definition.Name, hold.Id, environment);
            }
        }
    }

    /// <summary>How often in a row a saga could not be written, and when it is tried again.</summary>
    private readonly record struct Refusal(int Failures, DateTimeOffset RetryAt);
}
