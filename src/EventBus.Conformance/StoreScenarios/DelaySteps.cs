using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Provides the claim that the scenarios of delayed events share.</summary>
internal static class DelaySteps
{
    /// <summary>Claims the delayed events that are due at a time, in seconds from the start of the run.</summary>
    public static async Task<IReadOnlyList<Envelope>> ClaimDelayedAsync(this StoreRun run, double at, int max = 10) =>
        (await run.Delays.ClaimDueAsync(run.In(at), StoreRun.Lease, max, default)).Entries;
}
