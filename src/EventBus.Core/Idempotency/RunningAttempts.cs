using System.Collections.Concurrent;

namespace EventBus;

/// <summary>
/// Registers the running attempts of one idempotent subscription by key. Attempts of this process wait for each other
/// without polling the store. Thread-safe.
/// </summary>
internal sealed class RunningAttempts(BusServices services)
{
    private readonly ConcurrentDictionary<string, Task> running = new(StringComparer.Ordinal);

    /// <summary>Waits until no other attempt handles an event with the key, and registers the attempt.</summary>
    /// <param name="claim">The attempt.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task EnterAsync(EventClaim claim, ConcurrencyLimiter slots, CancellationToken cancellationToken)
    {
        var registered = running.GetOrAdd(claim.Key.Key, claim.Ended);
        while (registered != claim.Ended)
        {
            await slots.WaitWithoutAsync(registered.WaitAsync(cancellationToken), services.Abort);
            registered = running.GetOrAdd(claim.Key.Key, claim.Ended);
        }
    }

    /// <summary>Registers the attempt, unless another one handles an event with the key.</summary>
    public bool TryEnter(EventClaim claim) => running.GetOrAdd(claim.Key.Key, claim.Ended) == claim.Ended;

    /// <summary>Removes an attempt, if it was registered.</summary>
    public void Leave(EventClaim claim) => running.TryRemove(new KeyValuePair<string, Task>(claim.Key.Key, claim.Ended));
}
