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

    /// <summary>Starts a saga. Does nothing if the id is in use by a saga of the same kind.</summary>
    /// <param name="state">The state.</param>
    /// <param name="given">The id; null for a new one.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The id of the saga.</returns>
    public async Task<string> StartAsync<TState>(TState state, string? given, CancellationToken cancellationToken)
        where TState : notnull
    {
        var saga = parts.Catalog.Get(typeof(TState));
        var now = time.GetUtcNow();
        var id = given ?? ids.Next(now.UtcTicks).ToString("D");
        using var activity = services.Diagnostics.StartSaga(saga.Definition.Name, id);
        var progress = saga.Transitions.Begin(new StoredState(saga.Definition.StateVersion, Write(state, saga)), now);
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
    /// Stores a new saga, or finds that it already exists. Retries until the deadline, unless the store rejects
    /// the saga or is disposed.
    /// </summary>
    /// <returns>The entry if this call has created it; null if the id was already in use.</returns>
    private async Task<SagaEntry?> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(options.PublishTimeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        Exception? doubt = null;
        while (true)
        {
            try
            {
                if (await AskAsync(token => parts.Store.CreateAsync(entry, token)))
                {
                    return entry with { Version = 1 };
                }

                if (await AskAsync(token => parts.Store.FindAsync(entry.Id, token)) is { } known)
                {
                    return CreatedBefore(entry, known);
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
                await Task.Delay(RetryDelay, time, linked.Token);
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

    /// <summary>Returns the stored saga if a repeated call may have created it; otherwise null.</summary>
    /// <exception cref="ArgumentException">The id belongs to a saga of another name.</exception>
    private static SagaEntry? CreatedBefore(SagaEntry entry, SagaEntry known)
    {
        if (known.Saga != entry.Saga)
        {
            throw new ArgumentException(
                $"The saga id '{entry.Id}' belongs to a saga '{known.Saga}' already. Choose another id for this one.");
        }

        var isSame = known.Version == 1 && known.Content.Span.SequenceEqual(entry.Content.Span);
        return isSame ? known with { Number = 0 } : null;
    }
}
