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
    // The delay that leaves a saga of a newer application version to the newer instances.
    private static readonly TimeSpan LeftToOthers = TimeSpan.FromSeconds(30);

    private readonly TimeProvider time = services.StoreTime;
    private readonly SagaClock clock = new(services.StoreTime, services.Random, services.Log);

    /// <summary>Checks the clock for jumps. Called once per round.</summary>
    public void Look() => clock.Look();

    /// <summary>Lists the due sagas that may be tried now. Refused sagas do not block others.</summary>
    /// <param name="names">The names of the sagas of this application.</param>
    /// <param name="max">The maximum number of entries that are not refused.</param>
    /// <param name="stop">Cancels the call.</param>
    public async Task<DueBatch<SagaEntry>> ListDueAsync(IReadOnlyCollection<string> names, int max, CancellationToken stop)
    {
        var found = await store.ListDueAsync(names, time.GetUtcNow(), max + refusals.Ids.Count, stop);
        var (entries, next) = (new List<SagaEntry>(), found.NextDue);
        foreach (var entry in found.Entries)
        {
            if (refusals.MayTry(entry.Id, out var retryAt))
            {
                entries.Add(entry);
            }
            else
            {
                next = retryAt < next || next is null ? retryAt : next;
            }
        }

        return new DueBatch<SagaEntry>(entries, next);
    }

    /// <summary>
    /// Claims a due saga and stores, in the same write, that its step may have begun. Returns null if the saga cannot
    /// be processed now or another instance has claimed it first.
    /// </summary>
    public async Task<LeasedSaga?> ClaimAsync(SagaRuntime saga, SagaEntry entry)
    {
        var leased = await TryClaimAsync(saga, entry);
        refusals.Accept(entry.Id);
        return leased;
    }

    private async Task<LeasedSaga?> TryClaimAsync(SagaRuntime saga, SagaEntry entry)
    {
        var definition = saga.Definition;
        var defect = entry.Defect;
        if (defect is not null || SagaProgress.Read(entry.Content, out defect) is not { } progress)
        {
            await HaltUnreadableAsync(entry, defect!);
            return null;
        }

        var now = time.GetUtcNow();
        if (progress.StateVersion > definition.StateVersion)
        {
            services.Log.SagaIsNewer(definition.Name, entry.Id, progress.StateVersion, definition.StateVersion);
            await store.SaveAsync(entry with { DueAt = now + LeftToOthers }, repository.Closing);
            return null;
        }

        if (progress.Active() is { } active)
        {
            var waits = active.Status == SagaStepStatus.Waiting
                && progress.ReplyFor(active, definition.Find(active.Name)?.ReplyName) is null;
            if (waits && active.WaitsUntil <= now && clock.NotBefore(active.WaitsSince ?? now) is { } later)
            {
                await store.SaveAsync(entry with { DueAt = later }, repository.Closing);
                return null;
            }

            if (active.Begun && !waits)
            {
                active.Interruptions++;
            }

            active.CutOff();
            active.Begun = !waits;
        }

        progress.Held = true;
        var until = repository.LeaseFrom(now);
        var claimed = entry with { Claim = entry.Claim + 1, DueAt = until, ChangedAt = now, Content = progress.Write() };
        return await store.SaveAsync(claimed, repository.Closing)
            ? new LeasedSaga(definition, claimed with { Version = claimed.Version + 1 }, progress, until)
            : null;
    }

    /// <summary>
    /// Marks a saga whose content cannot be read as needing attention, and leaves the content unchanged.
    /// </summary>
    private async Task HaltUnreadableAsync(SagaEntry entry, string defect)
    {
        services.Log.SagaNeedsAttention(entry.Saga, entry.Id, null, defect, null);
        await notifier.RaiseAsync(
            async () =>
            {
                var now = time.GetUtcNow();
                return await store.SaveAsync(entry with
                {
                    Status = SagaStatus.NeedsAttention,
                    Claim = entry.Claim + 1,
                    DueAt = null,
                    KeepUntil = null,
                    AlertAt = notifier.WantsAlerts ? now : null,
                    ChangedAt = now
                }, repository.Closing);
            },
            entry.Id);
    }
}
