using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Starts the composed objects of one bus in their order, drains them, and closes them in reverse order.
/// </summary>
internal sealed class BusLifecycle(BusPlan plan, BusComponents parts, StopStages stages, IServiceProvider provider) : IAsyncDisposable
{
    // Bounds each step after the tokens of the handlers are cancelled: settling the deliveries, then closing the
    // backend.
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
                workers.Add(
                    factory.Create(subscription, await transport.SubscribeAsync(subscription.Subscription, cancellationToken), provider));
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

        StartLoop("delays", parts.Delays is { } delays ? delays.Loop.RunAsync : null);
        StartLoop("consumers of other instances", parts.Consumers is { } consumers ? consumers.RunAsync : null);
        StartLoop("subscriptions that were left behind", parts.Leftovers is { } leftovers ? leftovers.RunAsync : null);
        services.Log.Started(plan.ServiceName, transport.Features.System, workers.Count);
        VolatileBackendCheck.Warn(transport.Features, plan.Registration, plan.Subscriptions, services.Log);
    }

    /// <summary>
    /// Stops the intake of events and waits for the work in flight within the drain timeout. Then cancels the remaining
    /// work.
    /// </summary>
    public async Task DrainAsync(CancellationToken hostAborts)
    {
        using var budget = hostAborts.WithTimeout(plan.Options.DrainTimeout, services.Time);
        var queueEndsHere = !transport.Features.Durable && transport.Features.CountsWork;
        foreach (var worker in workers.All)
        {
            worker.StopPauses(letThrough: queueEndsHere);
        }

        if (queueEndsHere)
        {
            // The queued events exist only in this process, so the stop also handles them, within the drain timeout.
            await parts.Idle.WhenIdleAsync(budget.Token).Quietly();
        }

        // Claimed retries count as started. No further ones are claimed from here on, because they might get no slot.
        await CancelAsync(stages.Claims);
        var intake = Task.WhenAll(workers.All.Select(worker => worker.StopIntakeAsync().AsTask()));
        var drained = Task.WhenAll(workers.All.Select(worker => worker.DrainAsync()).Append(sagas?.DrainAsync() ?? Task.CompletedTask));
        await Task.WhenAll(intake, drained).WaitAsync(budget.Token).Quietly();
        if (!drained.IsCompleted)
        {
            services.Log.DrainTimedOut(plan.Options.DrainTimeout);
        }

        await CancelAsync(stages.Handlers);
        await WithinCloseTimeoutAsync(drained);

        // Retries that were claimed but not started are released to the store, without counting as attempts.
        await WithinCloseTimeoutAsync(() => parts.Recovery?.Scheduler.IsIdle != false, hostAborts);
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
            await WithinCloseTimeoutAsync(parts.Consumers?.EndAsync() ?? Task.CompletedTask);
            await CloseAsync(stores.CloseAsync().AsTask());
        }

        services.Diagnostics.Dispose();
    }

    private void StartRecovery()
    {
        if (workers.Count > 0)
        {
            // An instance that handles events also publishes the delayed ones of other instances.
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
                // Without subscriptions, only delayed events can become dead letters.
                if (workers.Count == 0)
                {
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

        StartLoop("idempotency leases", workers.Count > 0 && recovery.ClaimLeases is { } claims ? claims.RunAsync : null);
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

    /// <summary>Starts a loop, which ends in the last stage of the stop. Does nothing if there is none.</summary>
    private void StartLoop(string name, Func<CancellationToken, Task>? loop)
    {
        if (loop is not null)
        {
            loops.Add(services.Runner.Start(name, () => loop(stages.Loops.Token)));
        }
    }

    /// <summary>
    /// Sends the alerts that wait for the end of an alert interval, if the store is volatile and would lose them.
    /// </summary>
    private async Task SendRemainingAlertsAsync(CancellationToken hostAborts)
    {
        if (parts.Stores is { Durable: false })
        {
            var (deadLetters, attention) = (parts.Recovery?.Alerts, sagas?.Alerts);
            deadLetters?.Flush();
            attention?.Flush();
            await WithinCloseTimeoutAsync(() => deadLetters?.IsIdle != false && attention?.IsIdle != false, hostAborts);
        }
    }

    private async Task WithinCloseTimeoutAsync(Func<bool> isIdle, CancellationToken hostAborts)
    {
        using var limit = hostAborts.WithTimeout(CloseTimeout, services.Time);
        await services.Idle.WaitAsync(() => Task.FromResult(isIdle()), limit.Token).Quietly();
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
        if (!transport.Features.Durable && transport.Features.CountsWork)
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

            var alive = sagas is null ? 0 : await sagas.CountAliveAsync();
            if (alive > 0)
            {
                services.Log.SagasLostAtStop(alive, stores.Name);
            }
        }
    }
}
