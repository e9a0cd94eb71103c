using System.Collections.ObjectModel;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Provides the alerts of sagas that need attention. They have the form of dead-letter alerts (the saga's name stands
/// for the subscription, the saga's id for the event id), so that both kinds use the same notifiers.
/// </summary>
internal sealed class SagaAlerts(SagaStore store, SagaRepository repository, SagaRefusals refusals) : AlertSource
{
    private const string EventName = "saga.needs-attention";

    public override string Name => "sagas";

    public override TimeSpan PollInterval => store.PollInterval;

    public override async ValueTask<DueBatch<PendingAlert>> ClaimAsync(
        DateTimeOffset now,
        TimeSpan lease,
        int max,
        CancellationToken cancellationToken)
    {
        var due = await store.ListAlertsAsync(now, max, cancellationToken);
        var claimed = new List<PendingAlert>();

        // If the batch is full, there may be more due alerts, so the next call follows at once.
        var next = due.Entries.Count == max ? now : due.NextDue;
        foreach (var entry in due.Entries)
        {
            try
            {
                if (refusals.MayTry(entry.Id, out _) && await store.SaveAsync(entry with { AlertAt = now + lease }, cancellationToken))
                {
                    claimed.Add(new PendingAlert(entry.Id, entry.Claim, entry.Saga, EventName));
                }
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                // A saga that cannot be written does not block the alerts of the others.
                await refusals.RecordAsync(entry, exception);
            }

            if (!refusals.MayTry(entry.Id, out var retryAt) && (retryAt < next || next is null))
            {
                next = retryAt;
            }
        }

        return new DueBatch<PendingAlert>(claimed, next);
    }

    public override async ValueTask MarkSentAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken)
    {
        foreach (var alert in sent)
        {
            await repository.ChangeAsync(
                alert.Id,
                entry => IsCurrent(alert, entry) && entry.AlertAt is not null ? entry with { AlertAt = null } : null,
                cancellationToken);
        }
    }

    public override async ValueTask<DeadLetter?> FindAsync(PendingAlert alert, CancellationToken cancellationToken)
    {
        var entry = await store.FindAsync(alert.Id, cancellationToken);
        if (entry is null || !IsCurrent(alert, entry))
        {
            return null;
        }

        var info = SagaInfoMapper.ToSagaInfo(entry);
        // The step that cannot be undone; it may be an earlier one than the step that failed.
        var attempted = info.Steps.FirstOrDefault(step => step.Status == SagaStepStatus.Compensating)
            ?? info.Steps.LastOrDefault(step => step.Failures + step.Interruptions > 0);
        return new DeadLetter
        {
            Id = entry.Id,
            Subscription = entry.Saga,
            EventId = entry.Id,
            EventName = EventName,
            Key = entry.Id,
            Headers = ReadOnlyDictionary<string, string>.Empty,
            Reason = DeadLetterReason.SagaNeedsAttention,
            Error = info.Error,
            ErrorType = info.ErrorType,
            Attempts = attempted is null ? 0 : attempted.Failures + attempted.Interruptions,
            FirstFailedAt = entry.ChangedAt,
            LastFailedAt = entry.ChangedAt,
            Number = entry.Number,
            Body = ReadOnlyMemory<byte>.Empty,
        };
    }

    public override string FindCall(string id, string subscription) => FindCalls.OfSaga(id);

    public override string? LinkTemplate(AlertSettings settings) => settings.SagaLink;

    /// <summary>
    /// True if the saga still needs the attention that the alert is about. A saga that was retried since then has
    /// another claim, and gets a new alert if it needs attention again.
    /// </summary>
    private static bool IsCurrent(PendingAlert alert, SagaEntry entry) =>
        entry.Status == SagaStatus.NeedsAttention && entry.Claim == alert.Number;
}
