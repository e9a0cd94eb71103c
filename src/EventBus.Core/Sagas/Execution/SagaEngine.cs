namespace EventBus;

/// <summary>Runs the sagas of a bus, and reports their state. Thread-safe.</summary>
internal sealed class SagaEngine(SagaComponents parts, SagaCensus census)
{
    /// <summary>True if at least one write waits because the store does not accept it.</summary>
    public bool StoreIsDown => parts.Repository.StoreIsDown;

    /// <summary>The ids of the sagas of which a write failed while the store accepted others.</summary>
    public IReadOnlyList<string> Refused => parts.Refusals.Ids;

    /// <summary>Sends alerts for sagas that need attention; null if no notifier is registered.</summary>
    public AlertCoordinator? Alerts => parts.Alerts;

    /// <summary>True if no saga is being processed and no alert is being sent.</summary>
    public bool IsIdle => parts.Slots.IsEmpty && parts.Alerts?.IsIdle != false;

    /// <summary>The loops to run concurrently with <see cref="RunAsync"/>: alerts and renewals of leases.</summary>
    public IEnumerable<(string Name, Func<CancellationToken, Task> Run)> Loops =>
        (parts.Alerts?.Loops ?? []).Select(run => ("saga alerts", run)).Append(("saga leases", parts.Leases.RunAsync));

    /// <summary>Processes due sagas until the token is cancelled.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        if (parts.Loop is { } loop)
        {
            await census.ReportUnknownAsync(stop);
            await loop.RunAsync(stop);
        }
    }

    /// <summary>
    /// True if any saga that this application has is due now. False if this instance processes no sagas.
    /// </summary>
    public async Task<bool> IsAnyDueAsync() => parts.Loop is not null && await census.IsAnyDueAsync();

    /// <summary>Counts the sagas that have not ended.</summary>
    public Task<long> CountAliveAsync() => census.CountAliveAsync();

    /// <summary>Lets every saga finish its current step, and waits until all have stopped.</summary>
    public async Task DrainAsync()
    {
        await parts.Draining.CancelAsync();
        await parts.Slots.WhenEmptyAsync();
    }
}
