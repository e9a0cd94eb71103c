using System.Diagnostics.Metrics;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>
/// Owns one bus: the services that the container returns before the bus runs, and the engine while it runs.
/// </summary>
internal sealed class BusHost : IAsyncDisposable, IDisposable
{
    private readonly BusRegistration model;
    private readonly IServiceProvider services;
    private readonly SemaphoreSlim gate = new(1);
    private bool stopped;

    public BusHost(BusRegistration model, IServiceProvider services)
    {
        this.model = model;
        this.services = services;
        Time = services.GetService<TimeProvider>() ?? TimeProvider.System;
        Log = BackendLog.Create(services.GetService<ILoggerFactory>(), model.Key is null ? BusDiagnostics.Name : $"{BusDiagnostics.Name}.{model.Key}", services.GetService<TimeProvider>());
        CallerContext = services.GetService<CallerContext>() ?? new CallerContext();
        Client = new BusClient(CallerContext);
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

    /// <summary>The engine; null before the start and after the stop.</summary>
    public BusEngine? Engine { get; private set; }

    /// <summary>
    /// Checks the registration and starts the bus. Does nothing if the bus has been started or stopped before.
    /// </summary>
    public Task StartAsync(CancellationToken cancellationToken) => CallerContext.EnterAsync(() => StartInsideAsync(cancellationToken));

    /// <summary>
    /// Drains the bus within the drain timeout and closes it. Does nothing if the bus is stopped already.
    /// </summary>
    public Task StopAsync(CancellationToken cancellationToken) => CallerContext.EnterAsync(() => StopInsideAsync(cancellationToken));

    public ValueTask DisposeAsync() => new(StopAsync(CancellationToken.None));

    /// <summary>
    /// Supports containers that are disposed synchronously. If the bus still runs, logs that, begins the stop, and does
    /// not wait for it. A host stops the bus before it disposes the container.
    /// </summary>
    public void Dispose()
    {
        if (Engine is { } engine)
        {
            var work = engine.Transport.Work;
            Log.DisposedRunning(work.Accepted - work.Settled);
            StopAsync(new CancellationToken(canceled: true)).Observed();
        }
    }

    private async Task StartInsideAsync(CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (Engine is not null || stopped)
            {
                return;
            }

            var engine = await BuildAsync();
            try
            {
                await engine.StartAsync(() => Open(engine), cancellationToken);
            }
            catch
            {
                Client.Close("The event bus could not be started.");
                Sagas.Close();
                await engine.DisposeAsync();
                throw;
            }

            Engine = engine;
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task StopInsideAsync(CancellationToken cancellationToken)
    {
        // Without the caller's token: a stop that another caller has begun has its own time limit, so it is awaited.
        await gate.WaitAsync(CancellationToken.None);
        try
        {
            stopped = true;
            if (Engine is { } engine)
            {
                Client.CloseToOutsiders();
                await engine.DrainAsync(cancellationToken);
                Client.Close("The event bus has stopped, so nothing can be published. Publish before the host has stopped.");
                Sagas.Close();
                await engine.DisposeAsync();
                Engine = null;
                Log.Stopped();
            }
        }
        finally
        {
            gate.Release();
        }
    }

    private void Open(BusEngine engine)
    {
        Client.Open(engine);
        if (engine.Failures is { } failures)
        {
            DeadLetters.Open(failures.DeadLetters, engine.Plans, engine.CallTimeout, engine.Wake, Log);
        }

        if (engine.Delays is { } delays)
        {
            DelayedEvents.Open(delays, engine.CallTimeout);
        }

        if (engine.SagaOperations is { } sagas)
        {
            Sagas.Open(sagas);
        }
    }

    private async Task<BusEngine> BuildAsync()
    {
        var problems = new List<string>();
        var options = TryMake(_ => services.GetRequiredService<IOptionsMonitor<EventBusOptions>>().Get(model.OptionsName), problems) ?? new EventBusOptions();
        var transport = model.Transports.Count == 1 ? TryMake(model.Transports[0].Create, problems) : null;
        var stores = (model.Stores ?? model.DefaultStores) is { } create ? TryMake(create, problems) : null;
        var applicationName = services.GetService<IHostEnvironment>()?.ApplicationName;
        var sagas = await SagaCompiler.SketchAsync(model, services, Sagas.ReceiveAsync, problems);
        var plan = BusPlan.Make(model, sagas, options, applicationName, transport?.Features, stores, problems.Distinct(StringComparer.Ordinal));
        return new BusEngine(model, plan, transport!, stores, services, new BusDiagnostics(services.GetService<IMeterFactory>(), Time), this);
    }

    /// <summary>
    /// Creates the options, the transport or the stores. An invalid value is added to the configuration errors.
    /// </summary>
    private T? TryMake<T>(Func<IServiceProvider, T> create, List<string> problems)
        where T : class
    {
        try
        {
            return create(services);
        }
        catch (OptionsValidationException exception)
        {
            problems.AddRange(exception.Failures);
            return null;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidOperationException)
        {
            problems.Add(ExceptionText.MessageOf(exception));
            return null;
        }
    }
}
