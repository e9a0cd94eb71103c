namespace EventBus.Conformance;

/// <summary>Records alerts in a ledger.</summary>
internal sealed class AlertRecorder(Ledger<DeadLetter> alerts) : IDeadLetterNotifier
{
    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
    {
        foreach (var id in alert.Ids)
        {
            alerts.Add(alert.First with { Id = id });
        }

        return Task.CompletedTask;
    }
}
