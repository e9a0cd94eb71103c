namespace EventBus;

/// <summary>Records the changes of the status of sagas as metrics.</summary>
internal static class SagaTelemetry
{
    /// <param name="diagnostics">The metrics.</param>
    /// <param name="saga">The name of the saga.</param>
    /// <param name="previous">The status that the saga has left.</param>
    /// <param name="current">The new status.</param>
    /// <param name="duration">The time that the saga had the previous status.</param>
    public static void StatusChanged(BusDiagnostics diagnostics, string saga, SagaStatus previous, SagaStatus current, TimeSpan duration)
    {
        diagnostics.Sagas.StatusChanged(saga, previous.ToString(), duration);
        if (current == SagaStatus.NeedsAttention || SagaTransitions.IsEnd(current))
        {
            diagnostics.Sagas.Ended(saga, current.ToString());
        }
    }
}
