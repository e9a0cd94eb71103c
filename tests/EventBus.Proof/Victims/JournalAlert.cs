namespace EventBus.Proof;

/// <summary>Records alerts in the journal.</summary>
internal sealed class JournalAlert(Journal journal) : IDeadLetterNotifier
{
    public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
    {
        foreach (var id in alert.Ids)
        {
            journal.Write(Kind.Alert, Numbers.Of(id));
        }

        return Task.CompletedTask;
    }
}
