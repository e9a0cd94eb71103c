using EventBus.Stores;

namespace EventBus;

/// <summary>Claims due sagas, so that only one instance at a time processes each of them.</summary>
internal sealed class DueSagaReader(SagaStore store, SagaRepository keeper, SagaClock clock, SagaServices driving)
{
    // The delay that leaves a saga of a newer application version to the newer instances.
    private static readonly TimeSpan LeftToOthers = TimeSpan.FromSeconds(30);

    private readonly BusServices services = driving.Services;
    private readonly TimeProvider time = driving.Services.StoreTime;

    /// <summary>Checks the clock for jumps. Called once per round.</summary>
    public void Look() => clock.Look();

    /// <summary>
    /// Claims a due saga and stores, in the same write, that its step may have begun. Returns null if the saga cannot
    /// be processed now or another instance has claimed it first.
    /// </summary>
    public async Task<LeasedSaga?> ClaimAsync(SagaEngine.SagaRuntime saga, SagaEntry entry)
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
            await store.SaveAsync(entry with { DueAt = now + LeftToOthers }, keeper.Closing);
            return null;
        }

        if (progress.Active() is { } active)
        {
            var waits = active.Status == SagaStepStatus.Waiting && progress.ReplyFor(active, definition.Find(active.Name)?.ReplyName) is null;
            if (waits && active.WaitsUntil <= now && clock.NotBefore(active.WaitsSince ?? now) is { } later)
            {
                await store.SaveAsync(entry with { DueAt = later }, keeper.Closing);
                return null;
            }

            active.Interruptions += active.Begun && !waits ? 1 : 0;
            active.CutOff();
            active.Begun = !waits;
        }

        progress.Held = true;
        var until = keeper.LeaseFrom(now);
        var claimed = entry with { Claim = entry.Claim + 1, DueAt = until, ChangedAt = now, Content = progress.Write() };
        return await store.SaveAsync(claimed, keeper.Closing) ? new LeasedSaga(keeper, definition, claimed with { Version = claimed.Version + 1 }, progress, until) : null;
    }

    /// <summary>
    /// Marks a saga whose content cannot be read as needing attention, and leaves the content unchanged.
    /// </summary>
    private async Task HaltUnreadableAsync(SagaEntry entry, string defect)
    {
        services.Log.SagaNeedsAttention(entry.Saga, entry.Id, null, defect, null);
        driving.Alerts?.Expect();
        try
        {
            var now = time.GetUtcNow();
            if (await store.SaveAsync(entry with { Status = SagaStatus.NeedsAttention, Claim = entry.Claim + 1, DueAt = null, KeepUntil = null, AlertAt = driving.Alerts is null ? null : now, ChangedAt = now }, keeper.Closing))
            {
                driving.Ended(entry.Id);
            }
        }
        finally
        {
            driving.Alerts?.Reported();
        }
    }
}
