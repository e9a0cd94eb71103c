using System.Text.Json;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Starts sagas: stores the first progress of a saga, and runs it at once if this instance has a free slot.
/// Thread-safe.
/// </summary>
internal sealed class SagaStarter(SagaComponents parts, EventBusOptions options, BusServices services)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    private readonly EventIds ids = new(services.Random);
    private readonly TimeProvider time = services.StoreTime;

    /// <summary>Starts a saga. Does nothing if a saga of the same name has the id already.</summary>
    /// <param name="state">The initial state.</param>
    /// <param name="requestedId">The id; null for a new one.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The id of the saga.</returns>
    public async Task<string> StartAsync<TState>(TState state, string? requestedId, CancellationToken cancellationToken)
        where TState : notnull
    {
        var saga = parts.Catalog.Get(typeof(TState));
        var now = time.GetUtcNow();
        var id = requestedId ?? ids.Next(now.UtcTicks).ToString("D");
        using var activity = services.Diagnostics.Sagas.Start(saga.Definition.Name, id);
        var progress = saga.Transitions.Begin(new StoredState(saga.Definition.StateVersion, Write(state, saga)), now);
        progress.Start = ids.Next(now.UtcTicks).ToString("N");
        progress.TraceParent = activity?.Id ?? BusDiagnostics.CurrentTraceParent();
        var reserved = TryReserve(id);
        try
        {
            if (!reserved)
            {
                // The saga is not processed here at once, so no instance holds it and its first step has not begun. It
                // is due now, for the next instance that has a free slot.
                progress.Held = false;
                progress.Active()!.Begun = false;
            }

            var dueAt = reserved ? parts.Repository.LeaseFrom(now) : now;
            var entry = new SagaEntry
            {
                Id = id,
                Saga = saga.Definition.Name,
                Status = SagaStatus.Running,
                Claim = 1,
                DueAt = dueAt,
                StartedAt = now,
                ChangedAt = now,
                Content = progress.Write(),
            };
            var created = await CreateAsync(entry, cancellationToken);
            if (created is not null && reserved)
            {
                // From here on, the driver frees the slot.
                reserved = false;
                parts.Driver.Start(saga, new LeasedSaga(saga.Definition, created, progress, dueAt));
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

    /// <summary>
    /// Reserves a slot for a saga that is being started, so that this instance can process it at once. Returns false if
    /// no slot is free, if a saga with this id has one, if this instance processes no sagas, or if the bus stops.
    /// </summary>
    private bool TryReserve(string id) =>
        options.Consume && !parts.Draining.IsCancellationRequested && parts.Slots.Free > 0 && parts.Slots.TryReserve(id);

    private static JsonElement Write<TState>(TState state, SagaRuntime saga)
    {
        try
        {
            return saga.Runner.CheckSize(JsonSerializer.SerializeToElement(state, saga.Definition.Json));
        }
        catch (Exception exception)
        {
            throw new ArgumentException(
                $"The saga '{saga.Definition.Name}' cannot begin with this state: {ExceptionText.MessageOf(exception)}",
                nameof(state),
                exception);
        }
    }

    /// <summary>
    /// Stores a new saga, or finds that it already exists. Retries until the deadline, unless the store rejects the
    /// saga or is disposed.
    /// </summary>
    /// <returns>The entry if this call has created it; null if the id was already in use.</returns>
    private async Task<SagaEntry?> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(options.PublishTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);

        // An error after which the saga may have been stored: the outcome is in doubt from then on.
        Exception? doubt = null;
        while (true)
        {
            try
            {
                if (await AskAsync(token => parts.Store.CreateAsync(entry, token)))
                {
                    return entry with { Version = 1 };
                }

                var known = await AskAsync(token => parts.Store.FindAsync(entry.Id, token));
                if (known is not null)
                {
                    return IsStoredByThisCall(known, entry) ? entry with { Version = 1 } : null;
                }

                // The store has refused the id, and does not find it: the saga was removed between the two calls,
                // because its retention has just ended. Try again.
            }
            catch (InvalidOperationException exception) when (exception is not ObjectDisposedException && doubt is null)
            {
                // With this exception the store reports that it certainly did not accept the saga.
                throw new EventBusException(
                    $"The saga '{entry.Saga}' {entry.Id} was not started: {ExceptionText.MessageOf(exception)}",
                    exception);
            }
            catch (Exception exception) when (exception is not ArgumentException && !cancellationToken.IsCancellationRequested)
            {
                // The cancellation at the deadline does not replace an earlier error, which says more.
                if (doubt is null || exception is not OperationCanceledException)
                {
                    doubt = exception;
                }

                if (exception is ObjectDisposedException)
                {
                    throw InDoubt(entry, doubt);
                }
            }

            try
            {
                await Task.Delay(RetryDelay, time, linked.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw doubt is null ? Contradiction(entry) : InDoubt(entry, doubt);
            }
        }

        Task<T> AskAsync<T>(Func<CancellationToken, ValueTask<T>> call) =>
            StoreCalls.UntilAsync(call(deadline.Token).AsTask(), time, deadline.Token, cancellationToken);
    }

    /// <summary>
    /// True if an earlier attempt of this call has stored the saga with the id, and no instance has claimed it yet.
    /// </summary>
    /// <exception cref="ArgumentException">The id belongs to a saga of another name.</exception>
    private static bool IsStoredByThisCall(SagaEntry known, SagaEntry entry)
    {
        if (known.Saga != entry.Saga)
        {
            throw new ArgumentException(
                $"The saga id '{entry.Id}' belongs to a saga '{known.Saga}' already. Choose another id for this one.");
        }

        // The content contains the unique SagaProgress.Start.
        return known.Version == 1 && known.Content.Span.SequenceEqual(entry.Content.Span);
    }

    private static EventBusException Contradiction(SagaEntry entry) => new(
        $"The saga '{entry.Saga}' {entry.Id} was not started: the store refuses the id as used, but finds no such saga.");

    private static EventBusException InDoubt(SagaEntry entry, Exception cause) => new(
        $"It is in doubt whether the saga '{entry.Saga}' {entry.Id} was started, because the store gave no answer: "
            + $"{ExceptionText.MessageOf(cause)} To be sure, start it again with the id \"{entry.Id}\".",
        cause);
}
