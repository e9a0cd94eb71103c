using System.Collections.Concurrent;
using System.Collections.Frozen;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Runs the sagas of a bus: claims due sagas up to the concurrency limit, and processes each until it ends or waits.
/// Thread-safe.
/// </summary>
internal sealed class SagaEngine
{
    private const int ClaimSize = 64;

    private readonly SagaStore store;
    private readonly SagaOptions options;
    private readonly BusServices services;
    private readonly TimeProvider time;
    private readonly SagaRepository keeper;
    private readonly SagaServices driving;
    private readonly DueSagaReader claims;
    private readonly ScheduledLoop loop;
    private readonly FrozenDictionary<string, SagaRuntime> sagas;
    private readonly ConcurrentDictionary<string, TaskCompletionSource> running = new(StringComparer.Ordinal);
    private readonly bool consumes;

    public SagaEngine(SagaStore store, IReadOnlyList<SagaDefinition> definitions, EventBusOptions bus, SagaEnvironment parts, BusServices services)
    {
        (this.store, this.services, options, consumes) = (store, services, bus.Sagas, bus.Consume);
        time = services.StoreTime;
        keeper = new SagaRepository(store, bus.Lease, services, parts.Closing);
        Alerts = parts.Alerts.Count == 0 ? null : new AlertCoordinator(new SagaAlerts(store, keeper), parts.Alerts, parts.AlertSettings, services);
        loop = new ScheduledLoop("sagas", StartDueAsync, store.PollInterval, time, services.Log);
        driving = new SagaServices(keeper, parts.Publisher, Alerts, services) { Wake = loop.Wake, Ended = Waiters.Signal };
        claims = new DueSagaReader(store, keeper, new SagaClock(time, services.Random, services.Log), driving);
        Replies = new SagaReplies(store, keeper, parts.Events, parts.Publisher.ServiceName, loop.Wake, services);
        sagas = definitions.ToFrozenDictionary(definition => definition.Name, definition =>
        {
            var announcer = new SagaEventFactory(definition.Name, parts.Publisher, options.PublishEvents);
            var moves = new SagaTransitions(definition, announcer, options.Retention);
            var running = new SagaStepRunner(definition, bus.MaxBodyBytes, parts.Scopes, services);
            return new SagaRuntime(definition, moves, running, new SagaExecutor(definition, moves, running, announcer, driving));
        });
    }

    public SagaStore Store => store;

    public SagaRepository Keeper => keeper;

    public SagaReplies Replies { get; }

    public SagaWaiters Waiters { get; } = new();

    /// <summary>Sends alerts for sagas that need attention; null if no notifier is registered.</summary>
    public AlertCoordinator? Alerts { get; }

    public TimeSpan PollInterval => store.PollInterval;

    /// <summary>The retention of sagas that have ended.</summary>
    public TimeSpan Retention => options.Retention;

    public TimeProvider Time => time;

    public BusServices Services => services;

    public bool StoreIsDown => keeper.StoreIsDown;

    /// <summary>The ids of the sagas that the store refuses while it accepts others.</summary>
    public IReadOnlyList<string> Refused => keeper.Refused;

    /// <summary>True if no saga is being processed and no alert is being sent.</summary>
    public bool IsIdle => running.IsEmpty && Alerts?.IsIdle != false;

    /// <summary>The loops to run concurrently while the bus runs.</summary>
    public IEnumerable<(string Name, Func<CancellationToken, Task> Run)> Loops => (Alerts?.Loops ?? []).Select(run => ("saga alerts", run)).Append(("saga leases", keeper.RunAsync));

    public void Wake() => loop.Wake();

    public SagaRuntime? Find(string name) => sagas.GetValueOrDefault(name);

    public SagaRuntime? Find(Type stateType) => sagas.Values.FirstOrDefault(saga => saga.Definition.Model.StateType == stateType);

    /// <summary>Processes due sagas until the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        if (consumes)
        {
            await TellOfUnknownAsync(stop);
            await loop.RunAsync(stop);
        }
    }

    /// <summary>
    /// Logs the number of stored sagas that this application does not know. When a saga's class is renamed, the sagas
    /// stored under the old name would otherwise stop without a notice.
    /// </summary>
    private async Task TellOfUnknownAsync(CancellationToken stop)
    {
        try
        {
            if (await CountAsync(null, stop) - (await Task.WhenAll(sagas.Keys.Select(name => CountAsync(name, stop)))).Sum() is > 0 and var unknown)
            {
                services.Log.SagasUnknown(unknown);
            }
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            services.Log.LoopFailed("sagas", exception);
        }
    }

    /// <summary>True if any saga is due now, on any instance.</summary>
    public async Task<bool> IsAnyDueAsync() => consumes && (await store.ListDueAsync(sagas.Keys, time.GetUtcNow(), 1, CancellationToken.None)).Entries.Count > 0;

    /// <summary>Counts the sagas that have not ended.</summary>
    public Task<long> CountAliveAsync() => CountAsync(null, CancellationToken.None);

    private async Task<long> CountAsync(string? name, CancellationToken cancellationToken)
    {
        var alive = 0L;
        foreach (var status in Enum.GetValues<SagaStatus>().Where(status => !SagaTransitions.IsEnd(status)))
        {
            alive += await store.CountAsync(new SagaFilter { Saga = name, Status = status }, cancellationToken);
        }

        return alive;
    }

    /// <summary>
    /// Reserves a slot for a saga that is being started, so that this instance can process it at once; false if no slot
    /// is free.
    /// </summary>
    public bool TryReserve(string id) => consumes && !driving.IsStopping && running.Count < options.Concurrency && Reserve(id);

    /// <summary>Frees the slot of a saga.</summary>
    public void Unreserve(string id)
    {
        if (running.TryRemove(id, out var reserved))
        {
            reserved.SetResult();
        }

        services.Idle.Set();
    }

    /// <summary>Processes a saga that this instance has claimed and reserved a slot for.</summary>
    public void Drive(SagaRuntime saga, LeasedSaga hold)
    {
        keeper.Hold(hold);
        services.Runner.Observe(services.Runner.Start($"saga {hold.Id}", async () =>
        {
            try
            {
                await saga.Driver.DriveAsync(hold);
            }
            finally
            {
                hold.Dispose();
                Unreserve(hold.Id);
                loop.Wake();
            }
        }));
    }

    /// <summary>Lets every saga finish its current step, and waits until all have stopped.</summary>
    public async Task DrainAsync()
    {
        driving.IsStopping = true;
        while (!running.IsEmpty)
        {
            await Task.WhenAll(running.Values.Select(ended => ended.Task));
        }
    }

    private async Task<DateTimeOffset?> StartDueAsync(CancellationToken stop)
    {
        claims.Look();
        var room = Math.Min(options.Concurrency - running.Count, ClaimSize);
        if (room <= 0)
        {
            // The next saga that ends wakes the loop.
            return null;
        }

        // Sagas in progress are due only after their lease has ended. A paused process may see that before it renews
        // them, so they are added to the number requested. So are refused sagas, to keep them from blocking others.
        var due = await store.ListDueAsync(sagas.Keys, time.GetUtcNow(), room + running.Count + keeper.Refused.Count, stop);
        DateTimeOffset? next = due.NextDue;
        var taking = due.Entries.Where(entry => MayTry(entry.Id) && Reserve(entry.Id)).Take(room).ToList();
        await Task.WhenAll(taking.Select(TakeAsync));
        services.Idle.Set();
        return taking.Count == room ? time.GetUtcNow() : next;

        bool MayTry(string id)
        {
            if (keeper.MayTry(id, out var retryAt))
            {
                return true;
            }

            next = retryAt < next || next is null ? retryAt : next;
            return false;
        }
    }

    private async Task TakeAsync(SagaEntry entry)
    {
        var saga = sagas[entry.Saga];
        LeasedSaga? hold;
        try
        {
            hold = await claims.ClaimAsync(saga, entry);
            keeper.Accept(entry.Id);
        }
        catch (Exception exception)
        {
            try
            {
                await RefuseAsync(saga, entry, exception);
            }
            finally
            {
                Unreserve(entry.Id);
            }

            loop.Wake();
            return;
        }

        if (hold is not null)
        {
            Drive(saga, hold);
            return;
        }

        // It was postponed, or another instance claimed it first: the next due time has changed.
        Unreserve(entry.Id);
        loop.Wake();
    }

    /// <summary>
    /// Delays a saga whose claim failed. It needs attention after it is certain that the store accepts others.
    /// </summary>
    private async Task RefuseAsync(SagaRuntime saga, SagaEntry entry, Exception exception)
    {
        if (await keeper.RefuseAsync(entry, exception))
        {
            await saga.Driver.GiveUpAsync(new LeasedSaga(keeper, saga.Definition, entry, new SagaProgress(), entry.DueAt ?? time.GetUtcNow()), exception);
        }
    }

    private bool Reserve(string id) => running.TryAdd(id, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Holds a saga and the objects that execute it.</summary>
    public sealed record SagaRuntime(SagaDefinition Definition, SagaTransitions Moves, SagaStepRunner Runner, SagaExecutor Driver);
}
