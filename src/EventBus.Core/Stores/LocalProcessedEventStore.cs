namespace EventBus.Stores;

/// <summary>
/// A <see cref="ProcessedEventStore"/> that exists only in this process and answers synchronously. Thread-safe.
/// </summary>
/// <remarks>
/// No other process can take over a claim, so that the bus needs no lease, and an event costs at most two calls. The
/// members that this class adds do not throw.
/// </remarks>
public abstract class LocalProcessedEventStore : ProcessedEventStore
{
    /// <summary>
    /// Claims a key until it is completed or released. Returns false if the key is claimed or done, or the store may be
    /// full; <see cref="ProcessedEventStore.ClaimAsync"/> then decides.
    /// </summary>
    /// <param name="key">The key to claim.</param>
    /// <param name="fencingToken">The fencing token of the claim.</param>
    public abstract bool TryClaim(in ProcessedKey key, out long fencingToken);

    /// <summary>Marks a claimed key as done, for a handler that published nothing.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fencingToken">The fencing token of the claim.</param>
    /// <param name="keepUntil">The time after which the key may be removed.</param>
    public abstract void Complete(in ProcessedKey key, long fencingToken, DateTimeOffset keepUntil);

    /// <summary>Returns the fencing token of a key's latest claim; 0 if there is none.</summary>
    /// <param name="key">The key.</param>
    public abstract long FencingTokenOf(in ProcessedKey key);

    /// <summary>Waits until a key is no longer claimed. Completes at once if it is not claimed.</summary>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract Task WhenSettledAsync(ProcessedKey key, CancellationToken cancellationToken);
}
