namespace EventBus;

/// <summary>The events that failed for good, for people: look, retry, discard. Resolve it from the container. Thread-safe.</summary>
/// <remarks>Where a queue of a broker keeps them instead of a store, they can be counted, the first can be listed (the oldest first), and all can be retried; everything else throws <see cref="NotSupportedException"/>, which names the stores that can.
/// Every call ends within <see cref="EventBusOptions.PublishTimeout"/> (10 s by default) with an <see cref="EventBusException"/> if the store does not answer; what it was asked to do is in doubt then, and may be asked again.</remarks>
public interface IDeadLetters
{
    /// <summary>Lists dead letters, the newest first.</summary>
    /// <remarks>A page holds the bodies of its dead letters: <see cref="DeadLetterFilter.Take"/> times <see cref="EventBusOptions.MaxUnreadBodyBytes"/> at most. Take fewer where bodies are large.</remarks>
    /// <param name="filter">Which ones, and which page; null for the first 100 of all.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<IReadOnlyList<DeadLetter>> ListAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Gets one dead letter; null when there is none with this id.</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<DeadLetter?> FindAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Counts dead letters.</summary>
    /// <param name="filter">Which ones; null for all.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    Task<long> CountAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Runs the failed subscription again for this event: same id, fresh budget of retries. Safe to call twice.</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>False when there is no such dead letter (any more).</returns>
    Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Retries every dead letter that matches now, the oldest first. Holds ids, a thousand at a time, and no bodies. May take the time of one call for each 100 of them.</summary>
    /// <param name="filter">Which ones, paging ignored; null for all.</param>
    /// <param name="cancellationToken">Stops after the current one.</param>
    /// <returns>How many were retried.</returns>
    /// <exception cref="EventBusException">The store could not retry some of them, and says how many and why; all others are retried. Or it failed for 20 in a row, or gave no answer in time: what it had retried by then is.</exception>
    Task<int> RetryAllAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Removes a dead letter for good. The discard is logged with its reason.</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="reason">Why; not empty.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>False when there is no such dead letter (any more).</returns>
    Task<bool> DiscardAsync(string id, string reason, CancellationToken cancellationToken = default);
}
