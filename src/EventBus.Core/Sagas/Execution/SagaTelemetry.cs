namespace EventBus;

/// <summary>Records the changes of the status of sagas as metrics.</summary>
internal static class SagaTelemetry
{
    public static void StatusChanged(BusDiagnostics diagnostics, string saga, SagaStatus previous, SagaStatus current, TimeSpan duration)
    {
        diagnostics.SagaStatusChanged(saga, previous.ToString(), duration);
        if (current is not (SagaStatus.Running or SagaStatus.Compensating))
        {
            diagnostics.SagaEnded(saga, current.ToString());
        }
    }
}
