using System.Collections.Concurrent;
using EventBus.Stores;

namespace EventBus.Proof;

/// <summary>
/// A saga store that classifies its writes, calls an action before and after each, and records the ends. It shortens
/// the lease of alerts like <see cref="ShortAlertLeases"/>.
/// </summary>
internal sealed class WatchedSagaStore(SagaStore inner, ServiceLedger ledger, SagaProcessKiller killer) : DelegatingSagaStore(inner)
{
    private static readonly TimeSpan LongestAlertLease = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, SagaEntry> seen = new(StringComparer.Ordinal);

    public override async ValueTask<bool> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        killer.At(SagaMoment.Created, false, Numbers.Of(entry.Id));
        var created = await base.CreateAsync(entry, cancellationToken);
        if (created)
        {
            seen[entry.Id] = entry with { Version = 1 };
            killer.At(SagaMoment.Created, true, Numbers.Of(entry.Id));
        }

        return created;
    }

    public override async ValueTask<bool> SaveAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        var (number, now) = (Numbers.Of(entry.Id), TimeProvider.System.GetUtcNow());
        var moment = seen.TryGetValue(entry.Id, out var before) && before.Version == entry.Version
            ? MomentOf(before, entry)
            : SagaMoment.None;
        if (entry.Status == SagaStatus.NeedsAttention && entry.AlertAt > now + LongestAlertLease)
        {
            entry = entry with { AlertAt = now + LongestAlertLease };
        }

        killer.At(moment, false, number);
        var saved = await base.SaveAsync(entry, cancellationToken);
        if (saved)
        {
            seen[entry.Id] = entry with { Version = entry.Version + 1 };
            if (moment is SagaMoment.Completed or SagaMoment.Undone)
            {
                ledger.Write(new ServiceCall(ServiceMark.AtEnd, number, "", moment == SagaMoment.Undone, entry.Id, entry.Claim));
            }

            if (moment == SagaMoment.Claimed && before!.DueAt > now)
            {
                ledger.Write(new ServiceCall(ServiceMark.TakenEarly, number, "", false, entry.Id, entry.Claim));
            }

            killer.At(moment, true, number);
        }

        return saved;
    }

    public override async ValueTask<SagaEntry?> FindAsync(string id, CancellationToken cancellationToken) =>
        See(await base.FindAsync(id, cancellationToken));

    public override async ValueTask<DueBatch<SagaEntry>> ListDueAsync(
        IReadOnlyCollection<string> sagas,
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken) =>
        See(await base.ListDueAsync(sagas, now, max, cancellationToken));

    public override async ValueTask<DueBatch<SagaEntry>> ListAlertsAsync(
        DateTimeOffset now,
        int max,
        CancellationToken cancellationToken) => See(await base.ListAlertsAsync(now, max, cancellationToken));

    private static SagaMoment MomentOf(SagaEntry before, SagaEntry after)
    {
        if (after.Claim > before.Claim)
        {
            return SagaMoment.Claimed;
        }

        if (after.Status != before.Status)
        {
            return after.Status switch
            {
                SagaStatus.Compensating => SagaMoment.Turned,
                SagaStatus.NeedsAttention => SagaMoment.NeedsOperator,
                SagaStatus.Completed => SagaMoment.Completed,
                SagaStatus.Compensated => SagaMoment.Undone,
                _ => SagaMoment.None,
            };
        }

        return after.Status switch
        {
            SagaStatus.NeedsAttention when before.AlertAt is null => SagaMoment.None,
            SagaStatus.NeedsAttention => after.AlertAt is null ? SagaMoment.AlertSent : SagaMoment.AlertClaimed,
            SagaStatus.Completed or SagaStatus.Compensated => SagaMoment.EventsCleared,
            _ => MomentOf(SagaProgress.Read(before.Content, out _)!, SagaProgress.Read(after.Content, out _)!),
        };
    }

    private static SagaMoment MomentOf(SagaProgress before, SagaProgress after)
    {
        var (step, earlier) = (after.Active()!, before.Active()!);
        return after.Inbox.Count > before.Inbox.Count ? SagaMoment.Replied
            : step.Name != earlier.Name ? step.Status == SagaStepStatus.Compensating ? SagaMoment.Compensated : SagaMoment.Executed
            : step.Failures > earlier.Failures ? SagaMoment.RetryPlanned
            : step.Status != SagaStepStatus.Waiting ? SagaMoment.None
            : earlier.Status != SagaStepStatus.Waiting ? SagaMoment.Waiting
            : before.Held && !after.Held ? SagaMoment.LeftWaiting
            : SagaMoment.None;
    }

    private SagaEntry? See(SagaEntry? entry)
    {
        if (entry is not null)
        {
            seen[entry.Id] = entry;
        }

        return entry;
    }

    private DueBatch<SagaEntry> See(DueBatch<SagaEntry> batch)
    {
        foreach (var entry in batch.Entries)
        {
            See(entry);
        }

        return batch;
    }
}
