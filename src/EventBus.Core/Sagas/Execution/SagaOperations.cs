using System.Text.Json;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Implements the operations of <see cref="ISagas"/> and <see cref="SagaManager"/> while the bus runs. Thread-safe.
/// </summary>
internal sealed class SagaOperations(SagaComponents parts, EventBusOptions options, BusServices services)
{
    private static readonly TimeSpan Backoff = TimeSpan.FromMilliseconds(100);

    private readonly EventIds ids = new(services.Random);
    private readonly TimeSpan timeout = options.PublishTimeout;
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

    public async Task<string> StartAsync<TState>(TState state, string? given, CancellationToken cancellationToken)
        where TState : notnull
    {
        var saga = SagaOf<TState>();
        var now = time.GetUtcNow();
        var id = given ?? ids.Next(now.UtcTicks).ToString("D");
        using var activity = services.Diagnostics.StartSaga(saga.Definition.Name, id);
        var progress = saga.Moves.Begin(new StoredState(saga.Definition.StateVersion, Write(state, saga)), now);
        progress.Start = ids.Next(now.UtcTicks).ToString("N");
        progress.TraceParent = activity?.Id ?? BusDiagnostics.CurrentTraceParent();
        var reserved = TryReserve(id);
        try
        {
            if (!reserved)
            {
                // No slot is free here: the saga is left to the next instance that has one.
                (progress.Held, progress.Active()!.Begun) = (false, false);
            }

            var until = reserved ? parts.Repository.LeaseFrom(now) : now;
            var entry = new SagaEntry
            {
                Id = id,
                Saga = saga.Definition.Name,
                Status = SagaStatus.Running,
                Claim = 1,
                DueAt = until,
                StartedAt = now,
                ChangedAt = now,
                Content = progress.Write(),
            };
            if (await CreateAsync(entry, cancellationToken) is { } created && reserved)
            {
                reserved = false;
                parts.Driver.Start(saga, new LeasedSaga(saga.Definition, created, progress, until));
            }
        }
        finally
        {
            if (reserved)
            {
                parts.Slots.Release(id);
            }
        }

        parts.Due.Pulse();
        return id;
    }

    public async Task<SagaResult<TState>> WaitAsync<TState>(string id, CancellationToken cancellationToken)
        where TState : notnull
    {
        var saga = SagaOf<TState>();
        while (true)
        {
            // Registered before the read, so that an end after it is not missed.
            using var waiter = parts.Waiters.Wait(id);
            var entry = await FindAsync(id, cancellationToken)
                ?? throw new ArgumentException($"There is no saga '{id}', or it is no longer kept.", nameof(id));
            if (entry.Saga != saga.Definition.Name)
            {
                throw new ArgumentException($"The saga '{id}' is one of '{entry.Saga}', whose state is not {typeof(TState)}.", nameof(id));
            }

            if (SagaInfoMapper.IsAtRest(entry))
            {
                return await SagaInfoMapper.ResultAsync<TState>(entry, saga.Runner.ReadAsync);
            }

            await WaitForNewsAsync(id, waiter.Ended, cancellationToken);
        }
    }

    public async Task<bool> RetryAsync(string id, CancellationToken cancellationToken)
    {
        var changed = await ChangeAsync(
            id,
            static (saga, entry, progress, now) => saga.Moves.Retry(progress, now),
            RetryDead,
            cancellationToken);
        if (changed is not null)
        {
            services.Log.SagaRetried(changed.Saga, id);
        }

        return changed is not null;

        // The content stays as it is: the saga continues when an instance can read it.
        static SagaEntry RetryDead(SagaEntry entry) => entry with { Status = SagaStatus.Running };
    }

    public async Task<bool> SkipAsync(string id, string reason, CancellationToken cancellationToken)
    {
        string? step = null;
        var changed = await ChangeAsync(
            id,
            (saga, entry, progress, now) =>
            {
                step = progress.Active()?.Name;
                return saga.Moves.Skip(progress, entry, reason, now);
            },
            entry => throw new EventBusException(
                $"The stored state of the saga '{entry.Id}' cannot be read, so its next step is unknown. Finish it, or retry it with an "
                    + "application that can read it."),
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
            (saga, entry, progress, at) => saga.Moves.Finish(progress, entry, reason, at),
            entry => entry with { Status = SagaStatus.Finished, DueAt = null, KeepUntil = now + options.Sagas.Retention },
            cancellationToken);
        if (changed is not null)
        {
            services.Log.SagaFinished(changed.Saga, id, reason);
            parts.Waiters.Signal(id);
        }

        return changed is not null;
    }

    /// <summary>
    /// Reserves a slot for a saga that is being started, so that this instance can process it at once; false if no slot
    /// is free.
    /// </summary>
    private bool TryReserve(string id) =>
        options.Consume && !parts.Draining.IsCancellationRequested && parts.Slots.Free > 0 && parts.Slots.TryReserve(id);

    private static JsonElement Write<TState>(TState state, SagaRuntime saga)
    {
        try
        {
            return saga.Runner.Checked(JsonSerializer.SerializeToElement(state, saga.Definition.Json));
        }
        catch (Exception exception)
        {
            throw new ArgumentException(
                $"The saga '{saga.Definition.Name}' cannot begin with this state: {ExceptionText.MessageOf(exception)}",
                nameof(state),
                exception);
        }
    }

    private SagaRuntime SagaOf<TState>() =>
        parts.Catalog.Find(typeof(TState)) ?? throw new ArgumentException(
            $"No saga has the state {typeof(TState)}. Register one: bus.AddSaga<TSaga, {typeof(TState).Name}>().");

    /// <summary>
    /// Stores a new saga, or finds that it already exists. Retries until the deadline, unless the store rejects
    /// the saga or is disposed.
    /// </summary>
    /// <returns>The entry if this call has created it; null if the id was already in use.</returns>
    private async Task<SagaEntry?> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        Exception? doubt = null;
        while (true)
        {
            try
            {
                if (await AskAsync(token => Store.CreateAsync(entry, token)))
                {
                    return entry with { Version = 1 };
                }

                if (await AskAsync(token => Store.FindAsync(entry.Id, token)) is { } known)
                {
                    return known.Saga != entry.Saga
                        ? throw new ArgumentException(
                            $"The saga id '{entry.Id}' belongs to a saga '{known.Saga}' already. Choose another id for this one.")
                        : known.Version == 1 && known.Content.Span.SequenceEqual(entry.Content.Span) ? known with { Number = 0 } : null;
                }

                // The saga was removed between the two calls, because its retention has just ended. Otherwise the
                // answers of the store contradict each other.
            }
            catch (InvalidOperationException exception) when (exception is not ObjectDisposedException && doubt is null)
            {
                throw new EventBusException(
                    $"The saga '{entry.Saga}' {entry.Id} was not started: {ExceptionText.MessageOf(exception)}",
                    exception);
            }
            catch (Exception exception) when (exception is not ArgumentException && !cancellationToken.IsCancellationRequested)
            {
                doubt = doubt is null || exception is not OperationCanceledException ? exception : doubt;
                if (exception is ObjectDisposedException)
                {
                    throw InDoubt(doubt);
                }
            }

            try
            {
                await Task.Delay(Backoff, time, either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw doubt is null
                    ? new EventBusException(
                        $"The saga '{entry.Saga}' {entry.Id} was not started: the store says that the id is taken, and does not find it.")
                    : InDoubt(doubt);
            }
        }

        EventBusException InDoubt(Exception cause) => new(
            $"It is in doubt whether the saga '{entry.Saga}' {entry.Id} was started, because the store gave no answer: "
                + $"{ExceptionText.MessageOf(cause)} To be sure, start it again with the id \"{entry.Id}\".", cause);

        Task<T> AskAsync<T>(Func<CancellationToken, ValueTask<T>> call) =>
            StoreCalls.UntilAsync(call(deadline.Token).AsTask(), time, deadline.Token, cancellationToken);
    }

    /// <summary>Changes a saga that needs attention, and makes it due.</summary>
    private async Task<SagaEntry?> ChangeAsync(
        string id,
        Func<SagaRuntime, SagaEntry, SagaProgress, DateTimeOffset, SagaStatus> turn,
        Func<SagaEntry, SagaEntry> unreadable,
        CancellationToken cancellationToken)
    {
        var turned = default((SagaStatus Status, TimeSpan Stayed));
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
                    return unreadable(due);
                }

                var since = progress.StatusSince;
                var status = turn(saga, entry, progress, now);
                turned = (status, now - since);
                return saga.Moves.With(due, status, progress, now) with
                {
                    WaitKey = progress.Active() is { Status: SagaStepStatus.Waiting } ? due.WaitKey : null,
                    Content = progress.Write()
                };
            },
            token), "change a saga", cancellationToken);
        if (changed is not null)
        {
            SagaTelemetry.Turned(services.Diagnostics, changed.Saga, SagaStatus.NeedsAttention, changed.Status, turned.Stayed);
            parts.Due.Pulse();
        }

        return changed;
    }

    /// <summary>
    /// Waits for a signal from this process, but at most for the poll interval, because another instance may end the
    /// saga.
    /// </summary>
    private async Task WaitForNewsAsync(string id, Task ended, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, services.Abort);
        try
        {
            await ended.WaitAsync(parts.Store.PollInterval, time, either.Token);
        }
        catch (TimeoutException)
        {
            // Another instance may have ended the saga, so the caller reads it.
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EventBusException($"The bus stops before the saga '{id}' has ended. It continues after the next start of the bus; "
                + "wait for it again with its id.");
        }
    }
}
