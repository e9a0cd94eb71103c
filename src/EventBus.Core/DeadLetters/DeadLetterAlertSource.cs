using EventBus.Stores;

namespace EventBus;

/// <summary>The alerts of dead letters.</summary>
internal sealed class DeadLetterAlertSource(FailureStore store) : AlertSource
{
    public override string Name => "dead letters";

    public override TimeSpan PollInterval => store.PollInterval;

    public override ValueTask<DueBatch<PendingAlert>> ClaimAsync(DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken) => store.ClaimAlertsAsync(now, lease, max, cancellationToken);

    public override ValueTask ToldAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) => store.AlertedAsync(sent, cancellationToken);

    /// <summary>What people have dealt with by now needs no alert, and what has died again since has one of its own. Names that may be content stay with the dead letter.</summary>
    public override async ValueTask<DeadLetter?> FindAsync(PendingAlert alert, CancellationToken cancellationToken) =>
        await store.FindDeadAsync(alert.Id, cancellationToken) is { } entry && entry.Number == alert.Number ? DeadLetterManager.Show(entry with { Error = Rejection.WithoutForeign(entry.Error) }) : null;
}
