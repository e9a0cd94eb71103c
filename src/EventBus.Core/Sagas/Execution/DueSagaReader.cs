using EventBus.Stores;

namespace EventBus;

/// <summary>Takes sagas that are due, so that one instance at a time works on each.</summary>
internal sealed class DueSagaReader(SagaStore store, SagaRepository keeper, SagaClock clock, SagaServices driving)
{
    // What a newer version of the application is given to take what this one cannot.
    private static readonly TimeSpan LeftToOthers = TimeSpan.FromSeconds(30);

    private readonly RunEnvironment environment = driving.Environment;
    private readonly TimeProvider time = driving.Environment.Time;

    /// <summary>Looks at the clock, once for each round.</summary>
    public void Look() => clock.Look();

    /// <summary>Claims a due saga, and says in the same write that its step may have begun. Null when it is not to be worked on now, or somebody else was quicker.</summary>
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
            environment.Log.SagaIsNewer(definition.Name, entry.Id, progress.StateVersion, definition.StateVersion);
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

    /// <summary>What cannot be read is left as it is, and people are told.</summary>
    private async Task HaltUnreadableAsync(SagaEntry entry, string defect)
    {
        environment.Log.SagaNeedsAttention(entry.Saga, entry.Id, null, defect, null);
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
