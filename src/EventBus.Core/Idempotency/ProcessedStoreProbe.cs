using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Checks whether the store of handled events accepts writes at all: claims and releases a key that belongs to no
/// event.
/// </summary>
internal sealed class ProcessedStoreProbe(ProcessedEventStore store, TimeSpan lease, TimeProvider time)
{
    // Names of subscriptions cannot contain a slash, so this is never one.
    private const string ProbeSubscription = "eventbus/probe";

    /// <summary>Makes one probe.</summary>
    /// <exception cref="Exception">The store does not work.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var key = new ProcessedKey(ProbeSubscription, $"{now.UtcTicks}");
        var claim = await store.ClaimAsync(key, 0, now, lease, cancellationToken);
        await store.ReleaseAsync(key, claim.FencingToken, cancellationToken);
    }
}
