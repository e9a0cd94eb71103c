using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Owns one bus: the services that the container returns before the bus runs, and the engine while it runs.
/// </summary>
internal sealed class BusHost : IAsyncDisposable, IDisposable
{
    private readonly IServiceProvider services;
    private readonly BusFactory factory;
    private readonly SemaphoreSlim gate = new(1);

    // Completes when the bus runs, could not start or is stopped.
    private volatile TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private BusLifecycle? lifecycle;

    // The buses that forward events to this one; empty once they are being stopped. Locked while it changes.
    private readonly HashSet<BusHost> sources = [];
    private bool stopped;

    public BusHost(BusRegistration registration, IServiceProvider services)
    {
        this.services = services;
        Time = services.GetService<TimeProvider>() ?? TimeProvider.System;
        Log = BackendLog.Create(
            services.GetService<ILoggerFactory>(),
            registration.Key is null ? BusDiagnostics.Name : $"{BusDiagnostics.Name}.{registration.Key}",
            services.GetService<TimeProvider>());
        CallerContext = services.GetService<CallerContext>() ?? new CallerContext();
        factory = new BusFactory(registration, services, Time, Log, CallerContext);
        Client = new BusClient(CallerContext, Log);
        DeadLetters = new DeadLetterManager(CallerContext, Time);
        DelayedEvents = new DelayedEventManager(CallerContext, Time);
        Sagas = new SagaAccess(CallerContext);
    }

    public CallerContext CallerContext { get; }

    public BusClient Client { get; }

    public DeadLetterManager DeadLetters { get; }

    public DelayedEventManager DelayedEvents { get; }

    public SagaAccess Sagas { get; }

    public TimeProvider Time { get; }

    public ILogger Log { get; }

    /// <summary>The running bus; null before the start and after the stop.</summary>
    public BusComponents? Running { get; private set; }

    /// <summary>
    /// Checks the registration and starts the bus. Does nothing if the bus has been started or stopped before.
    /// </summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await CallerContext.Leave();
        await StartCoreAsync(cancellationToken);
    }

    /// <summary>
    /// Drains the bus within the drain timeout and closes it. Does nothing if the bus is stopped already.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await CallerContext.Leave();
        if (Running is null)
        {
            // The other buses would wait for this one while they stop.
            opened.TrySetResult();
        }

        foreach (var source in TakeSources())
        {
            await source.StopAsync(cancellationToken);
        }

        await StopCoreAsync(cancellationToken);
    }

    /// <summary>
    /// Waits until the bus runs. Another bus calls this that has started before, and forwards events to this one.
    /// </summary>
    /// <exception cref="EventBusException">The bus has been stopped, or could not start.</exception>
    public async Task<BusComponents> WhenRunningAsync(CancellationToken cancellationToken)
    {
        await opened.Task.WaitAsync(cancellationToken);
        return Running ?? throw new EventBusException(
            "The other bus has stopped or could not start, so nothing can be forwarded to it. The event is kept for a retry.");
    }

    /// <summary>
    /// Lets this bus stop only after a bus that forwards events to it, so that the other bus can complete its work.
    /// </summary>
    public void StopAfter(BusHost source)
    {
        lock (sources)
        {
            sources.Add(source);
        }
    }

    public ValueTask DisposeAsync() => new(StopAsync(CancellationToken.None));

    /// <summary>
    /// Supports containers that are disposed synchronously. If the bus still runs, logs that, begins the stop, and does
    /// not wait for it. A host stops the bus before it disposes the container.
    /// </summary>
    public void Dispose()
    {
        if (Running is { } running)
        {
            var work = running.Transport.Work;
            Log.DisposedRunning(work.Accepted - work.Settled);
            StopAsync(new CancellationToken(canceled: true)).Observed();
        }
    }

    private async Task StartCoreAsync(CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (lifecycle is not null || stopped)
            {
                return;
            }

            if (opened.Task.IsCompleted)
            {
                // An earlier start has failed, and the application tries again.
                opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            var stages = new StopStages();
            var (plan, parts) = await factory.CreateAsync(stages, Sagas.ReceiveAsync);
            var starting = new BusLifecycle(plan, parts, stages, services);
            try
            {
                await starting.ConnectAsync(cancellationToken);

                // Publishing is opened before the workers start, because handlers may publish immediately.
                Open(plan, parts);
                starting.Start();
            }
            catch
            {
                Client.Close("The event bus could not be started.");
                Sagas.Close();
                await starting.DisposeAsync();
                throw;
            }

            lifecycle = starting;
            Running = parts;
            opened.TrySetResult();
        }
        finally
        {
            if (Running is null && !stopped)
            {
                // The start has failed. Who waits for it stops waiting, so that the application can end soon.
                opened.TrySetResult();
            }

            gate.Release();
        }
    }

    private async Task StopCoreAsync(CancellationToken cancellationToken)
    {
        // Not with the caller's token: a stop or start that another caller has begun has its own time limit.
        await gate.WaitAsync(CancellationToken.None);
        try
        {
            stopped = true;
            opened.TrySetResult();
            if (lifecycle is { } running)
            {
                Client.CloseToOutsiders();
                await running.DrainAsync(cancellationToken);
                Client.Close("The event bus has stopped, so nothing can be published. Publish before the host has stopped.");
                Sagas.Close();
                await running.DisposeAsync();
                lifecycle = null;
                Running = null;
                Log.EndFailedPublishes();
                Log.Stopped();
            }
            else
            {
                // Publishes before a start that failed, or that never came.
                Log.EndFailedPublishes();
            }
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>
    /// Returns the buses that forward to this one at the first call, and then none: buses may forward to each other.
    /// </summary>
    private BusHost[] TakeSources()
    {
        lock (sources)
        {
            BusHost[] taken = [.. sources];
            sources.Clear();
            return taken;
        }
    }

    private void Open(BusPlan plan, BusComponents parts)
    {
        Client.Open(parts);
        if (parts.Recovery is { } recovery)
        {
            // A dead letter that an operator retries is an event of a subscription, or a delayed event.
            IReadOnlyList<WakeSignal> wake = parts.Delays is null ? [recovery.RetriesDue] : [recovery.RetriesDue, parts.DelaysDue];
            DeadLetters.Open(recovery.Store.DeadLetters, plan.Options.PublishTimeout, wake, parts.Services);
        }

        if (parts.Delays is { } delays)
        {
            DelayedEvents.Open(delays.Store, plan.Options.PublishTimeout);
        }

        if (parts.SagaOperations is { } sagas)
        {
            Sagas.Open(sagas);
        }
    }
}
