namespace EventBus;

/// <summary>Records the changes of the status of sagas as metrics.</summary>
internal static class SagaTelemetry
{
    public static void Turned(BusDiagnostics diagnostics, string saga, SagaStatus left, SagaStatus entered, TimeSpan stayed)
    {
        diagnostics.SagaStatusChanged(saga, left.ToString(), stayed);
        if (entered is not (SagaStatus.Running or SagaStatus.Compensating))
        {
            diagnostics.SagaEnded(saga, entered.ToString());
        }
    }
}
