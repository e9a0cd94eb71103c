using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Provides the steps that the scenarios of idempotent subscriptions share.</summary>
internal static class ProcessedSteps
{
    /// <summary>The key that most of the scenarios use.</summary>
    public static readonly ProcessedKey Key = new("mail", "1");

    /// <summary>Creates a completion with events to send, which is kept for an hour.</summary>
    public static Completion Done(this StoreRun run, params string[] outbox) =>
        new([.. outbox.Select(id => Sample.Event(id))], [], run.In(3_600));

    /// <summary>Claims a key at the start of the run, and expects that it is new.</summary>
    public static async Task<ProcessedClaim> ClaimKeyAsync(this StoreRun run, ProcessedKey key, long fingerprint = 1)
    {
        var claim = await run.Processed.ClaimAsync(key, fingerprint, run.Now, StoreRun.Lease, default);
        Expect.Equal(ProcessedState.New, claim.State, $"the state of the key '{key.Key}' when it is claimed");
        return claim;
    }

    /// <summary>
    /// Tries to claim a key, and expects that it is held or done. The time is in seconds from the start of the run.
    /// </summary>
    public static async Task ExpectKeyAsync(
        this StoreRun run,
        ProcessedState state,
        double at = 0,
        ProcessedEventStore? store = null,
        long fingerprint = 1,
        ProcessedKey? key = null)
    {
        // The answer must contain the fingerprint that is stored, and not the one of this call.
        const long OtherFingerprint = 99;
        var claim = await (store ?? run.Processed).ClaimAsync(key ?? Key, OtherFingerprint, run.In(at), StoreRun.Lease, default);
        Expect.Equal(
            (state, 0L, fingerprint),
            (claim.State, claim.FencingToken, claim.Fingerprint),
            $"state, fencing token and fingerprint of a key after {at} s");
    }
}
