using EventBus.Stores;

namespace EventBus;

/// <summary>Claims due sagas, so that only one instance at a time processes each of them.</summary>
internal sealed class DueSagaReader(
    SagaStore store,
    SagaRepository repository,
    SagaRefusals refusals,
    SagaNotifier notifier,
    BusServices services)
{
    // The delay of a saga that a newer version of the application has stored. Meanwhile instances of that version can
    // claim it.
    private static readonly TimeSpan NewerVersionDelay = TimeSpan.FromSeconds(30);

    private readonly TimeProvider time = services.StoreTime;
    private readonly SagaClock clock = new(services.StoreTime, services.Random, services.Log);

    /// <summary>Checks the clock for jumps. Called before each list of due sagas.</summary>
    public void CheckClock() => clock.DetectJump();

    /// <summary>Lists the due sagas that may be tried now. Refused sagas do not block others.</summary>
    /// <param name="names">The names of the sagas of this application.</param>
    /// <param name="max">The number of entries to read in addition to the refused ones.</param>
    /// <param name="stop">Cancels the call.</param>
    public async Task<DueBatch<SagaEntry>> ListDueAsync(IReadOnlyCollection<string> names, int max, CancellationToken stop)
    {
        var found = await store.ListDueAsync(names, time.GetUtcNow(), max + refusals.Ids.Count, stop);
        var entries = new List<SagaEntry>();
        var next = found.NextDue;
        foreach (var entry in found.Entries)
        {
            if (refusals.MayTry(entry.Id, out var retryAt))
            {
                entries.Add(entry);
            }
            else if (next is null || retryAt < next)
            {
                next = retryAt;
            }
        }

        return new DueBatch<SagaEntry>(entries, next);
    }

    /// <summary>Claims a due saga and stores, in the same write, that its active step begins.</summary>
    /// <returns>
    /// The saga; null if another instance has claimed it first, or if it cannot be processed now: then it was
    /// postponed, or marked as needing attention.
    /// </returns>
    public async Task<LeasedSaga?> ClaimAsync(SagaRuntime saga, SagaEntry entry)
    {
        var leased = await TryClaimAsync(saga, entry);
        refusals.RecordAccepted(entry.Id);
        return leased;
    }

    private async Task<LeasedSaga?> TryClaimAsync(SagaRuntime saga, SagaEntry entry)
    {
        var definition = saga.Definition;
        var defect = entry.Defect;
        var progress = defect is null ? SagaProgress.Read(entry.Content, out defect) : null;
        if (progress is null)
        {
            await HaltUnreadableAsync(entry, defect!);
            return null;
        }

        var now = time.GetUtcNow();
        if (progress.StateVersion > definition.StateVersion)
        {
            services.Log.SagaIsNewer(definition.Name, entry.Id, progress.StateVersion, definition.StateVersion);
            await store.SaveAsync(entry with { DueAt = now + NewerVersionDelay }, repository.Closing);
            return null;
        }

        if (progress.Active() is { } active)
        {
            var waits = active.Status == SagaStepStatus.Waiting
                && progress.ReplyFor(active, definition.Find(active.Name)?.ReplyName) is null;
            if (waits && active.WaitsUntil <= now && clock.NotBefore(active.WaitsSince ?? now) is { } earliestTimeout)
            {
                await store.SaveAsync(entry with { DueAt = earliestTimeout }, repository.Closing);
                return null;
            }

            if (active.Begun && !waits)
            {
                // An earlier owner began this step and stored no result.
                active.Interruptions++;
            }

            active.CutOff();
            active.Begun = !waits;
        }

        progress.Held = true;
        var leaseEnd = repository.LeaseFrom(now);
        var claimed = entry with { Claim = entry.Claim + 1, DueAt = leaseEnd, ChangedAt = now, Content = progress.Write() };
        return await store.SaveAsync(claimed, repository.Closing)
            ? new LeasedSaga(definition, claimed with { Version = claimed.Version + 1 }, progress, leaseEnd)
            : null;
    }

    /// <summary>
    /// Marks a saga whose content cannot be read as needing attention, and leaves the content unchanged.
    /// </summary>
    private async Task HaltUnreadableAsync(SagaEntry entry, string defect)
    {
        await notifier.RaiseAsync(
            async () =>
            {
                var now = time.GetUtcNow();
                var marked = await store.SaveAsync(entry with
                {
                    Status = SagaStatus.NeedsAttention,
                    Claim = entry.Claim + 1,
                    DueAt = null,
                    KeepUntil = null,
                    AlertAt = notifier.AlertAt(now),
                    ChangedAt = now
                }, repository.Closing);
                if (marked)
                {
                    services.Log.SagaNeedsAttention(entry.Saga, entry.Id, null, notifier.ShownBy(entry.Id, entry.Saga), defect, null);
                }

                return marked;
            },
            entry.Id);
    }
}
