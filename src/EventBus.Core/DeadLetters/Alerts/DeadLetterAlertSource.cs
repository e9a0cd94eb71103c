using EventBus.Stores;

namespace EventBus;

/// <summary>Provides the alerts about dead letters.</summary>
internal sealed class DeadLetterAlertSource(RetryStore store) : AlertSource
{
    public override string Name => "dead letters";

    public override TimeSpan PollInterval => store.PollInterval;

    public override ValueTask<DueBatch<PendingAlert>> ClaimAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken) =>
        store.DeadLetters.ClaimAlertsAsync(now, lease, max, cancellationToken);

    public override ValueTask MarkSentAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken) =>
        store.DeadLetters.MarkAlertedAsync(sent, cancellationToken);

    /// <summary>
    /// Gets the dead letter to report. Null if it was retried or discarded meanwhile; if it failed again, it has an
    /// alert of its own. Member names from the body, which may be confidential, are removed from the error.
    /// </summary>
    public override async ValueTask<DeadLetter?> FindAsync(PendingAlert alert, CancellationToken cancellationToken) =>
        await store.DeadLetters.FindAsync(alert, cancellationToken) is { } entry
            ? DeadLetterMapper.ToDeadLetter(entry with { Error = Rejection.WithoutForeign(entry.Error) })
            : null;

    public override string FindCall(string id, string subscription) =>
        store.DeadLetters is DeadLetterStore ? FindCalls.OfDeadLetter(id, subscription) : FindCalls.OfQueue;

    public override string? LinkTemplate(AlertSettings settings) => settings.DeadLetterLink;
}
