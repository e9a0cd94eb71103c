namespace EventBus;

/// <summary>
/// Starts the background loops of one bus: retries, delayed events, sagas, alerts, leases, and the monitoring of the
/// backend.
/// </summary>
internal sealed class BusLoops(BusComponents parts, StopStages stages)
{
    private readonly List<Task> loops = [];

    private bool HasWorkers => parts.Workers.Count > 0;

    /// <summary>Starts the loops that the bus needs. The workers must have been added.</summary>
    public void Start()
    {
        StartRecovery();
        StartSagas();
        if (HasWorkers || parts.Sagas is not null)
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

        StartLoop("metrics of the stores and the backend", parts.StateCollector.RunAsync);
    }

    /// <summary>Completes when all loops have ended, after the tokens of the stop are cancelled.</summary>
    public Task WhenEndedAsync() => Task.WhenAll(loops);

    private void StartRecovery()
    {
        if (HasWorkers)
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
                if (!HasWorkers)
                {
                    // Without subscriptions, only delayed events can become dead letters.
                    await parts.DelaysDue.FirstPulse.WaitAsync(stop);
                }

                await loop(stop);
            });
        }

        if (HasWorkers)
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

        if (HasWorkers && recovery.ClaimLeases is { } claimLeases)
        {
            StartLoop("idempotency leases", claimLeases.RunAsync);
        }
    }

    private void StartSagas()
    {
        if (parts.Sagas is not { } sagas)
        {
            return;
        }

        foreach (var (name, run) in sagas.Loops)
        {
            StartLoop(name, run);
        }

        StartLoop("sagas", _ => sagas.RunAsync(stages.Claims.Token));
    }

    /// <summary>
    /// Starts a loop. Its token is cancelled in the last stage of the stop; loops that claim work use an earlier stage
    /// instead.
    /// </summary>
    private void StartLoop(string name, Func<CancellationToken, Task> loop) =>
        loops.Add(parts.Services.Runner.Start(name, () => RunAsync(name, loop)));

    private async Task RunAsync(string name, Func<CancellationToken, Task> loop)
    {
        try
        {
            await loop(stages.Loops.Token);
        }
        catch (Exception exception) when (exception is not OperationCanceledException && stages.Claims.IsCancellationRequested)
        {
            // A store or a broker that fails during the stop ends the loop a little earlier. Nothing is repeated.
            parts.Services.Log.LoopFailedInStop(name, exception);
        }
    }
}
