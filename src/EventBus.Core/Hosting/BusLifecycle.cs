using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Starts the composed objects of one bus. When the bus stops, drains them (waits for the work in flight) and closes
/// them in reverse order.
/// </summary>
internal sealed class BusLifecycle(BusPlan plan, BusComponents parts, StopStages stages, IServiceProvider provider) : IAsyncDisposable
{
    private readonly Transport transport = parts.Transport;
    private readonly BusServices services = parts.Services;
    private readonly SubscriptionWorkers workers = parts.Workers;
    private readonly SagaEngine? sagas = parts.Sagas;
    private readonly BusLoops loops = new(parts, stages);
    private readonly CloseLimit closeLimit = new(parts.Services);

    /// <summary>Connects the stores and the transport, and subscribes. Publishing is possible afterwards.</summary>
    public async Task ConnectAsync(CancellationToken cancellationToken)
    {
        var failFast = plan.Options.FailFast;
        if (parts.Stores is not null)
        {
            await parts.Stores.OpenAsync(new StoreSetup(plan.ServiceName, services.StoreTime)
            {
                FailFast = failFast,
                Subscriptions = [.. plan.Subscriptions.Select(s => s.Subscription.Name)]
            }, cancellationToken);
        }

        await transport.StartAsync(
            new TransportTopology(
                plan.ServiceName,
                [.. plan.Subscriptions.Select(s => s.Subscription)],
                [.. plan.Events.Declared.Select(e => e.Name).Distinct(StringComparer.Ordinal)],
                services.Time)
            { FailFast = failFast },
            cancellationToken);
        if (parts.Subscriptions is { } factory)
        {
            foreach (var subscription in plan.Subscriptions)
            {
                var receiver = await transport.SubscribeAsync(subscription.Subscription, cancellationToken);
                workers.Add(factory.Create(subscription, receiver, provider));
            }
        }
    }

    /// <summary>Begins to handle events, retries, delayed events and sagas.</summary>
    public void Start()
    {
        foreach (var worker in workers.All)
        {
            worker.Start();
        }

        loops.Start();
        services.Log.Started(plan.ServiceName, transport.Features.System, workers.Count);
        VolatileBackendCheck.Warn(transport.Features, plan.Registration, plan.Subscriptions, services.Log);
        ForwardOrderCheck.Warn(transport.Features, plan.Subscriptions, services.Log);
        DirectPublishCheck.Warn(plan, provider, services.Log);
    }

    /// <summary>
    /// Stops the intake of events and waits for the work in flight within the drain timeout. Then cancels the remaining
    /// work.
    /// </summary>
    /// <param name="hostAborts">Cancelled when the host ends the stop: the remaining work is cancelled at once.</param>
    public async Task DrainAsync(CancellationToken hostAborts)
    {
        using var drainLimit = hostAborts.WithTimeout(plan.Options.DrainTimeout, services.Time);

        // Events that are queued only in this process would be lost, so they are handled before the intake stops.
        var isQueueInProcess = transport.Features is { Durable: false, CountsWork: true };
        foreach (var worker in workers.All)
        {
            worker.StopPauses(letThrough: isQueueInProcess);
        }

        if (isQueueInProcess)
        {
            await parts.Idle.WhenIdleAsync(drainLimit.Token).Quietly();
        }

        // Claimed retries count as started. No further ones are claimed from here on, because they might get no slot.
        await closeLimit.CancelAsync(stages.Claims);
        var intake = Task.WhenAll(workers.All.Select(worker => worker.StopIntakeAsync().AsTask()));
        var drained = Task.WhenAll(workers.All.Select(worker => worker.DrainAsync()).Append(sagas?.DrainAsync() ?? Task.CompletedTask));
        await Task.WhenAll(intake, drained).WaitAsync(drainLimit.Token).Quietly();
        if (!drained.IsCompleted)
        {
            services.Log.DrainTimedOut(plan.Options.DrainTimeout);
        }

        await closeLimit.CancelAsync(stages.Handlers);
        await closeLimit.WaitAsync(drained);

        // The scheduler is idle when it has released the retries that were claimed but not started. They do not count
        // as attempts.
        await closeLimit.WaitUntilAsync(() => parts.Recovery is null || parts.Recovery.Scheduler.IsIdle, hostAborts);
        await SendRemainingAlertsAsync(hostAborts);
    }

    public async ValueTask DisposeAsync()
    {
        await closeLimit.CancelAsync(stages.Handlers);
        await closeLimit.CancelAsync(stages.Claims);
        await closeLimit.CancelAsync(stages.Loops);
        await closeLimit.WaitAsync(loops.WhenEndedAsync());
        await closeLimit.WaitAsync(LossReport.LogAsync(parts));

        // The receivers are closed in parallel, each with the full timeout: a receiver whose server does not answer
        // must not use up the time of the other receivers or of the transport.
        await closeLimit.CloseAsync(Task.WhenAll(workers.All.Select(worker => worker.DisposeAsync().AsTask())));
        await closeLimit.CloseAsync(transport.DisposeAsync().AsTask());
        if (parts.Stores is { } stores)
        {
            await closeLimit.WaitAsync(parts.ConsumerMonitor?.EndAsync() ?? Task.CompletedTask);
            await closeLimit.CloseAsync(stores.CloseAsync().AsTask());
        }

        services.Diagnostics.Dispose();
    }

    /// <summary>
    /// Sends the alerts that wait for the end of an alert interval, if the store is volatile and would lose them.
    /// </summary>
    private async Task SendRemainingAlertsAsync(CancellationToken hostAborts)
    {
        if (parts.Stores is not { Durable: false })
        {
            return;
        }

        var deadLetterAlerts = parts.Recovery?.Alerts;
        var sagaAlerts = sagas?.Alerts;
        deadLetterAlerts?.Flush();
        sagaAlerts?.Flush();
        await closeLimit.WaitUntilAsync(() => deadLetterAlerts is not { IsIdle: false } && sagaAlerts is not { IsIdle: false }, hostAborts);
    }
}
