using System.Text.Json;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Starts sagas: stores the first progress of a saga, and runs it at once if this instance has a free slot.
/// Thread-safe.
/// </summary>
internal sealed class SagaStarter(SagaComponents parts, EventBusOptions options, BusServices services)
{
    private readonly EventIds ids = new(services.Random);
    private readonly SagaCreator creator = new(parts.Store, options.PublishTimeout, services.StoreTime);
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
            var created = await creator.CreateAsync(entry, cancellationToken);
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
}
