namespace EventBus;

/// <summary>
/// Reports changes of sagas: to the loop of due sagas, to callers that wait for an end, and to the alerts.
/// </summary>
/// <param name="due">Wakes the loop of due sagas, when one may be due.</param>
/// <param name="waiters">The callers that wait for the end of a saga.</param>
/// <param name="alerts">Sends alerts for sagas that need attention; null if no notifier is registered.</param>
internal sealed class SagaNotifier(WakeSignal due, SagaWaiters waiters, AlertCoordinator? alerts)
{
    /// <summary>True if a saga that needs attention must be marked for an alert.</summary>
    public bool WantsAlerts => alerts is { IsWanted: true };

    /// <summary>Reports that a saga may be due.</summary>
    public void Due() => due.Pulse();

    /// <summary>Reports that a saga has ended.</summary>
    public void Ended(string id) => waiters.Signal(id);

    /// <summary>Announces an alert, and reports it when the saga was marked as needing attention.</summary>
    /// <param name="mark">Marks the saga. Returns false if another instance has changed it.</param>
    /// <param name="id">The id of the saga.</param>
    public async Task RaiseAsync(Func<Task<bool>> mark, string id)
    {
        bool marked;
        alerts?.Expect();
        try
        {
            marked = await mark();
        }
        finally
        {
            alerts?.Reported();
        }

        if (marked)
        {
            waiters.Signal(id);
        }
    }
}
