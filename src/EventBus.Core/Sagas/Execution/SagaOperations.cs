using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Implements the operations of <see cref="ISagas"/> and <see cref="SagaManager"/> while the bus runs. Thread-safe.
/// </summary>
internal sealed class SagaOperations(SagaComponents parts, EventBusOptions options, BusServices services)
{
    private readonly SagaStarter starter = new(parts, options, services);
    private readonly SagaResultWaiter results = new(parts, options, services);
    private readonly StoreCalls calls = new(options.PublishTimeout, services.StoreTime);
    private readonly TimeProvider time = services.StoreTime;

    public SagaStore Store => parts.Store;

    public Task<IReadOnlyList<SagaEntry>> ListAsync(SagaFilter filter, CancellationToken cancellationToken) =>
        calls.AskAsync(token => Store.ListAsync(filter, token), "list the sagas", cancellationToken);

    public Task<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken) =>
        calls.AskAsync(token => Store.FindAsync(id, token), "find a saga", cancellationToken);

    public Task<long> CountAsync(SagaFilter filter, CancellationToken cancellationToken) =>
        calls.AskAsync(token => Store.CountAsync(filter, token), "count the sagas", cancellationToken);

    public Task ReceiveAsync(string saga, EventContext context, CancellationToken cancellationToken) =>
        parts.Replies.ReceiveAsync(parts.Catalog[saga].Definition, context, cancellationToken);

    public Task<string> StartAsync<TState>(TState state, string? id, CancellationToken cancellationToken)
        where TState : notnull => starter.StartAsync(state, id, cancellationToken);

    public Task<SagaResult<TState>> WaitAsync<TState>(string id, CancellationToken cancellationToken)
        where TState : notnull => results.WaitAsync<TState>(id, cancellationToken);

    public async Task<bool> RetryAsync(string id, CancellationToken cancellationToken)
    {
        var changed = await ChangeAsync(
            id,
            static (saga, entry, progress, now) => saga.Interventions.Retry(progress, now),
            // The content stays as it is: the saga continues when an instance can read it.
            static entry => entry with { Status = SagaStatus.Running },
            cancellationToken);
        if (changed is not null)
        {
            services.Log.SagaRetried(changed.Saga, id);
        }

        return changed is not null;
    }

    public async Task<bool> SkipAsync(string id, string reason, CancellationToken cancellationToken)
    {
        string? step = null;
        var changed = await ChangeAsync(
            id,
            (saga, entry, progress, now) =>
            {
                step = progress.Active()?.Name;
                return saga.Interventions.Skip(progress, entry, reason, now);
            },
            entry => throw new EventBusException(
                $"The saga '{entry.Id}' cannot be skipped: its stored content cannot be read, or this application has no saga "
                    + $"'{entry.Saga}'. Finish it, or retry it with an application that can read it."),
            cancellationToken);
        if (changed is not null)
        {
            services.Log.SagaSkipped(changed.Saga, id, step, reason);
        }

        return changed is not null;
    }

    public async Task<bool> FinishAsync(string id, string reason, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var changed = await ChangeAsync(
            id,
            (saga, entry, progress, changedAt) => saga.Interventions.Finish(progress, entry, reason, changedAt),
            entry => entry with { Status = SagaStatus.Finished, DueAt = null, KeepUntil = now + options.Sagas.Retention },
            cancellationToken);
        if (changed is not null)
        {
            services.Log.SagaFinished(changed.Saga, id, reason);
            parts.Waiters.Signal(id);
        }

        return changed is not null;
    }

    /// <summary>Changes a saga that needs attention, and makes it due.</summary>
    /// <param name="id">The saga's id.</param>
    /// <param name="transition">Changes the progress and returns the new status.</param>
    /// <param name="changeUnreadable">
    /// Changes the entry of a saga whose content cannot be read or whose name this application does not know.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The saved entry; null if there is no saga with this id that needs attention.</returns>
    private async Task<SagaEntry?> ChangeAsync(
        string id,
        Func<SagaRuntime, SagaEntry, SagaProgress, DateTimeOffset, SagaStatus> transition,
        Func<SagaEntry, SagaEntry> changeUnreadable,
        CancellationToken cancellationToken)
    {
        var attentionDuration = TimeSpan.Zero;
        var changed = await calls.AskAsync(token => parts.Repository.ChangeAsync(
            id,
            entry =>
            {
                if (entry.Status != SagaStatus.NeedsAttention)
                {
                    return null;
                }

                var now = time.GetUtcNow();

                // A new claim, so that an instance that held the saga before detects the change.
                var due = entry with { AlertAt = null, Claim = entry.Claim + 1, ChangedAt = now, DueAt = now };
                if (SagaProgress.Read(entry.Content, out _) is not { } progress || parts.Catalog.Find(entry.Saga) is not { } saga)
                {
                    return changeUnreadable(due);
                }

                attentionDuration = now - progress.StatusSince;
                var status = transition(saga, entry, progress, now);
                return saga.Transitions.WithStatus(due, status, progress, now) with
                {
                    WaitKey = progress.Active() is { Status: SagaStepStatus.Waiting } ? due.WaitKey : null,
                    Content = progress.Write()
                };
            },
            token), "change a saga", cancellationToken);
        if (changed is not null)
        {
            SagaTelemetry.StatusChanged(services.Diagnostics, changed.Saga, SagaStatus.NeedsAttention, changed.Status, attentionDuration);
            parts.Due.Pulse();
        }

        return changed;
    }
}
