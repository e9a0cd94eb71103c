using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Starts the composed objects of one bus. When the bus stops, drains them (waits for the work in flight) and closes
/// them in reverse order.
/// </summary>
internal sealed class BusLifecycle(BusPlan plan, BusComponents parts, StopStages stages, IServiceProvider provider) : IAsyncDisposable
{
    // The maximum duration of each step after the tokens of the handlers are cancelled: settling the deliveries, then
    // closing the backend.
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(3);

    private readonly Transport transport = parts.Transport;
    private readonly BusServices services = parts.Services;
    private readonly SubscriptionWorkers workers = parts.Workers;
    private readonly SagaEngine? sagas = parts.Sagas;
    private readonly List<Task> loops = [];

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

        StartRecovery();
        StartSagas();
        if (workers.Count > 0 || sagas is not null)
        {
            StartLoop("sweeper", parts.Sweeper.RunAsync);
        }

        if (parts.Delays is { } delays)
        {
            StartLoop("delays", delays.Loop.RunAsync);
        }

        if (parts.ConsumerMonitor is { } consumerMonitor)
        {
            StartLoop("consumers of other instances", consumerMonitor.RunAsync);
        }

        if (parts.Leftovers is { } leftovers)
        {
            StartLoop("subscriptions that were left behind", leftovers.RunAsync);
        }

        services.Log.Started(plan.ServiceName, transport.Features.System, workers.Count);
        VolatileBackendCheck.Warn(transport.Features, plan.Registration, plan.Subscriptions, services.Log);
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
        await CancelAsync(stages.Claims);
        var intake = Task.WhenAll(workers.All.Select(worker => worker.StopIntakeAsync().AsTask()));
        var drained = Task.WhenAll(workers.All.Select(worker => worker.DrainAsync()).Append(sagas?.DrainAsync() ?? Task.CompletedTask));
        await Task.WhenAll(intake, drained).WaitAsync(drainLimit.Token).Quietly();
        if (!drained.IsCompleted)
        {
            services.Log.DrainTimedOut(plan.Options.DrainTimeout);
        }

        await CancelAsync(stages.Handlers);
        await WithinCloseTimeoutAsync(drained);

        // The scheduler is idle when it has released the retries that were claimed but not started. They do not count
        // as attempts.
        await WaitUntilAsync(() => parts.Recovery is null || parts.Recovery.Scheduler.IsIdle, hostAborts);
        await SendRemainingAlertsAsync(hostAborts);
    }

    public async ValueTask DisposeAsync()
    {
        await CancelAsync(stages.Handlers);
        await CancelAsync(stages.Claims);
        await CancelAsync(stages.Loops);
        await WithinCloseTimeoutAsync(Task.WhenAll(loops));
        await WithinCloseTimeoutAsync(ReportLossAsync());

        // The receivers are closed in parallel, each with the full timeout: a receiver whose server does not answer
        // must not use up the time of the other receivers or of the transport.
        await CloseAsync(Task.WhenAll(workers.All.Select(worker => worker.DisposeAsync().AsTask())));
        await CloseAsync(transport.DisposeAsync().AsTask());
        if (parts.Stores is { } stores)
        {
            await WithinCloseTimeoutAsync(parts.ConsumerMonitor?.EndAsync() ?? Task.CompletedTask);
            await CloseAsync(stores.CloseAsync().AsTask());
        }

        services.Diagnostics.Dispose();
    }

    private void StartRecovery()
    {
        if (workers.Count > 0)
        {
            // The first pulse: an instance that handles events also publishes the delayed events of other instances.
            parts.DelaysDue.Pulse();
        }

        if (parts.Recovery is not { } recovery)
        {
            return;
        }

        foreach (var loop in recovery.Alerts.Loops)
        {
            StartLoop("alerts", async stop =>
            {
                if (workers.Count == 0)
                {
                    // Without subscriptions, only delayed events can become dead letters.
                    await parts.DelaysDue.FirstPulse.WaitAsync(stop);
                }

                await loop(stop);
            });
        }

        if (workers.Count > 0)
        {
            StartLoop("retries", _ => recovery.RetryLoop.RunAsync(stages.Claims.Token));
            if (recovery.BrokerDeadLetters is { } brokerDeadLetters)
            {
                StartLoop("dead letters of the broker", _ => brokerDeadLetters.RunAsync(stages.Claims.Token));
            }
        }

        if (recovery.Store.PollInterval != Timeout.InfiniteTimeSpan)
        {
            StartLoop("leases", recovery.Leases.RunAsync);
        }

        if (workers.Count > 0 && recovery.ClaimLeases is { } claimLeases)
        {
            StartLoop("idempotency leases", claimLeases.RunAsync);
        }
    }

    private void StartSagas()
    {
        if (sagas is not null)
        {
            foreach (var (name, run) in sagas.Loops)
            {
                StartLoop(name, run);
            }

            StartLoop("sagas", _ => sagas.RunAsync(stages.Claims.Token));
        }
    }

    /// <summary>
    /// Starts a loop. Its token is cancelled in the last stage of the stop; loops that claim work use an earlier stage
    /// instead.
    /// </summary>
    private void StartLoop(string name, Func<CancellationToken, Task> loop) =>
        loops.Add(services.Runner.Start(name, () => loop(stages.Loops.Token)));

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
        await WaitUntilAsync(() => deadLetterAlerts is not { IsIdle: false } && sagaAlerts is not { IsIdle: false }, hostAborts);
    }

    /// <summary>Waits until a condition is true, at most for the close timeout. Does not throw.</summary>
    private async Task WaitUntilAsync(Func<bool> condition, CancellationToken hostAborts)
    {
        using var limit = hostAborts.WithTimeout(CloseTimeout, services.Time);
        await services.Idle.WaitAsync(() => Task.FromResult(condition()), limit.Token).Quietly();
    }

    /// <summary>Waits for a task, at most for the close timeout. Does not throw.</summary>
    private Task WithinCloseTimeoutAsync(Task task) => Task.WhenAny(task.Observed(), Task.Delay(CloseTimeout, services.Time));

    /// <summary>
    /// Cancels a token source. Handlers may have registered callbacks on the token: callbacks that block or throw must
    /// not delay the stop.
    /// </summary>
    private Task CancelAsync(CancellationTokenSource source) => WithinCloseTimeoutAsync(source.CancelAsync());

    private async Task CloseAsync(Task closing)
    {
        await WithinCloseTimeoutAsync(closing);
        if (!closing.IsCompletedSuccessfully)
        {
            services.Log.CloseFailed(closing.Exception ?? (Exception)new TimeoutException($"Closing took longer than {CloseTimeout}."));
        }
    }

    private async Task ReportLossAsync()
    {
        if (transport.Features is { Durable: false, CountsWork: true })
        {
            var work = transport.Work;
            if (work.Accepted > work.Settled)
            {
                services.Log.LostAtStop(work.Accepted - work.Settled, transport.Features.System);
            }
        }

        if (parts.Stores is { Durable: false } stores)
        {
            var failed = stores.Failures is { } failures ? await failures.CountAsync(CancellationToken.None) : 0;
            var delayed = stores.Delays is { } kept ? await kept.CountAsync(CancellationToken.None) : 0;
            if (failed + delayed > 0)
            {
                services.Log.StoreLostAtStop(failed, delayed, stores.Name);
            }

            var unfinishedSagas = sagas is null ? 0 : await sagas.CountAliveAsync();
            if (unfinishedSagas > 0)
            {
                services.Log.SagasLostAtStop(unfinishedSagas, stores.Name);
            }
        }
    }
}
