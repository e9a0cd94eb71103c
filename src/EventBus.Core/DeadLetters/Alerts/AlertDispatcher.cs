using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Sends alerts through one notifier, independently of the other notifiers: if it hangs or fails, it does not delay
/// them. Thread-safe.
/// </summary>
internal sealed class AlertDispatcher
{
    private readonly AlertSender sender;
    private readonly AlertGroups groups;
    private readonly HeldAlerts held;
    private readonly WakeSignal sentSignal;
    private readonly IdleSignal idle;
    private readonly WakeSignal wake = new();
    private readonly ScheduledLoop loop;

    /// <summary>Creates the dispatcher of a notifier.</summary>
    /// <param name="sender">Sends through the notifier.</param>
    /// <param name="settings">The settings that all alerts share.</param>
    /// <param name="held">Receives the alerts that are sent.</param>
    /// <param name="sentSignal">Pulsed when alerts were sent.</param>
    /// <param name="services">The clock and the log.</param>
    public AlertDispatcher(AlertSender sender, AlertSettings settings, HeldAlerts held, WakeSignal sentSignal, BusServices services)
    {
        this.sender = sender;
        this.held = held;
        this.sentSignal = sentSignal;
        groups = new AlertGroups(settings, services.StoreTime);
        idle = services.Idle;
        loop = new ScheduledLoop($"the loop of {sender.Name}", SendDueAsync, Timeout.InfiniteTimeSpan, wake, services);
    }

    /// <inheritdoc cref="AlertGroups.IsIdle"/>
    public bool IsIdle => groups.IsIdle;

    /// <summary>Sends alerts when they are due, until the token is cancelled.</summary>
    public Task RunAsync(CancellationToken stop) => loop.RunAsync(stop);

    /// <summary>Adds an alert. <see cref="Wake"/> must be called afterwards.</summary>
    public void Add(PendingAlert alert) => groups.Add(alert);

    /// <summary>Wakes the loop, which sends the added alerts that are due.</summary>
    public void Wake() => wake.Pulse();

    /// <inheritdoc cref="AlertGroups.Flush"/>
    public void Flush()
    {
        groups.Flush();
        wake.Pulse();
    }

    private async Task<DateTimeOffset?> SendDueAsync(CancellationToken stop)
    {
        while (groups.TakeDue() is { } group)
        {
            var isSent = await sender.TrySendAsync(group, stop);
            if (isSent)
            {
                // Before Settle, because the groups are not idle until then, and after AddSent the alerts wait to be
                // marked: so AlertCoordinator.IsIdle is false all the time until they are marked.
                held.AddSent(group.Waiting);
                sentSignal.Pulse();
            }

            groups.Settle(group, isSent);
        }

        idle.Set();
        return groups.NextDue();
    }
}
