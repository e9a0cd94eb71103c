namespace EventBus;

/// <summary>
/// Reports changes of sagas to the loop of due sagas, to the callers that wait for a saga, and to the alerts.
/// </summary>
/// <param name="due">Wakes the loop of due sagas.</param>
/// <param name="waiters">The callers that wait until a saga has ended or needs attention.</param>
/// <param name="alerts">Sends alerts for sagas that need attention; null if no notifier is registered.</param>
/// <param name="settings">The settings of the alerts.</param>
internal sealed class SagaNotifier(WakeSignal due, SagaWaiters waiters, AlertCoordinator? alerts, AlertSettings settings)
{
    /// <summary>Returns what the log shows, as the alerts do: the link to a saga, or the call that finds it.</summary>
    public string ShownBy(string id, string saga) =>
        AlertLink.Of(settings.SagaLink, settings.ServiceName, id, saga) ?? FindCalls.OfSaga(id);

    /// <summary>
    /// Returns the alert time of a saga that needs attention from now on: at once; null if no alerts are wanted.
    /// </summary>
    public DateTimeOffset? AlertAt(DateTimeOffset now) => alerts is { IsWanted: true } ? now : null;

    /// <summary>Reports that a saga may be due.</summary>
    public void ReportDue() => due.Pulse();

    /// <summary>Reports that a saga has ended.</summary>
    public void ReportEnd(string id) => waiters.Signal(id);

    /// <summary>
    /// Marks a saga as needing attention, and reports that to the callers that wait for it. The bus is not idle from
    /// the beginning of the call, because an alert follows.
    /// </summary>
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
