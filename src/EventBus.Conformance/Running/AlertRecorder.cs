namespace EventBus.Conformance;

/// <summary>Records the dead letters of each alert in a ledger.</summary>
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
