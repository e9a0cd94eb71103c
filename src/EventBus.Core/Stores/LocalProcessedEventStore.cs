namespace EventBus.Stores;

/// <summary>A <see cref="ProcessedEventStore"/> that begins and ends with the process, and answers at once. Thread-safe.</summary>
/// <remarks>Nobody else can take a claim over, so that the bus needs no lease: an event costs it no more than two calls. Its own members do not throw.</remarks>
public abstract class LocalProcessedEventStore : ProcessedEventStore
{
    /// <summary>Claims a key until it is completed or released. False when that cannot be said at once: the key is claimed or done, or the store is full. <see cref="ProcessedEventStore.ClaimAsync"/> says which.</summary>
    /// <param name="key">What is to be handled.</param>
    /// <param name="fence">The claim's number.</param>
    public abstract bool TryClaim(in ProcessedKey key, out long fence);

    /// <summary>Marks a claimed key done, whose handler published nothing.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fence">The claim's number.</param>
    /// <param name="keepUntil">When the key may be forgotten.</param>
    public abstract void Complete(in ProcessedKey key, long fence, DateTimeOffset keepUntil);

    /// <summary>The number of a key's latest claim; 0 when there is none.</summary>
    /// <param name="key">The key.</param>
    public abstract long FenceOf(in ProcessedKey key);

    /// <summary>Completes when a key is not claimed any more; at once when it is not.</summary>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract Task WhenSettledAsync(ProcessedKey key, CancellationToken cancellationToken);
}
