namespace EventBus;

/// <summary>
/// Lists, retries and discards the events that failed permanently. For operators; resolve it from the container.
/// Thread-safe.
/// </summary>
/// <remarks>
/// When a broker queue keeps the dead letters instead of a store, they can be counted, the first ones can be listed
/// (oldest first), and all can be retried. All other operations throw an <see cref="EventBusException"/>, whose
/// message names the stores that support them. Every call except <see cref="RetryAllAsync"/> ends within
/// <see cref="EventBusOptions.PublishTimeout"/> (10 s by default): if the store does not answer, it throws an
/// <see cref="EventBusException"/>. It is then unknown whether the operation was carried out; it can be repeated.
/// </remarks>
public interface IDeadLetters
{
    /// <summary>Lists dead letters, newest first.</summary>
    /// <remarks>
    /// A page contains the bodies of its dead letters: each at most <see cref="EventBusOptions.MaxBodyBytes"/>, or
    /// <see cref="EventBusOptions.MaxUnreadBodyBytes"/> if it could not be read. Use smaller pages if bodies are large.
    /// </remarks>
    /// <param name="filter">The dead letters and the page to list; null for the first 100 of all.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    Task<IReadOnlyList<DeadLetter>> ListAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Gets one dead letter; null if none has this id.</summary>
    /// <param name="id">The id of the dead letter.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    Task<DeadLetter?> FindAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>Counts dead letters.</summary>
    /// <param name="filter">The dead letters to count; null for all.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    Task<long> CountAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>
    /// Retries one dead letter: the failed subscription handles the event again, with the same id and the full number
    /// of retries. Calling it twice is safe.
    /// </summary>
    /// <param name="id">The id of the dead letter.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if the dead letter does not exist.</returns>
    Task<bool> RetryAsync(string id, CancellationToken cancellationToken = default);

    /// <summary>
    /// Retries all dead letters that match now, oldest first. May take <see cref="EventBusOptions.PublishTimeout"/>
    /// twice, and once more for every 100 dead letters.
    /// </summary>
    /// <param name="filter">The dead letters to retry; paging is ignored; null for all.</param>
    /// <param name="cancellationToken">Stops after the current dead letter.</param>
    /// <returns>The number of dead letters that were retried.</returns>
    /// <exception cref="EventBusException">
    /// The store could not retry some dead letters; the message says how many and why, and all others are retried. Or
    /// the store failed for 20 in a row, or did not answer in time; the ones before that are retried.
    /// </exception>
    Task<int> RetryAllAsync(DeadLetterFilter? filter = null, CancellationToken cancellationToken = default);

    /// <summary>Removes a dead letter permanently. The removal is logged with its reason.</summary>
    /// <param name="id">The id of the dead letter.</param>
    /// <param name="reason">The reason, for the log; not empty.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if the dead letter does not exist.</returns>
    Task<bool> DiscardAsync(string id, string reason, CancellationToken cancellationToken = default);
}
