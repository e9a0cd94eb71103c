namespace EventBus.Stores;

/// <summary>
/// The dead letters of a <see cref="RetryStore"/> and their alerts, with only the operations that a queue of a broker
/// can offer. Thread-safe.
/// </summary>
/// <remarks>
/// A store that finds dead letters by id derives from <see cref="DeadLetterStore"/>. If a store is only a queue, the
/// bus answers the other operations (find, filter, retry or discard one) with an error.
/// </remarks>
public abstract class DeadLetterQueue
{
    /// <summary>
    /// Lists the first dead letters: a queue in its order, a <see cref="DeadLetterStore"/> the newest first.
    /// </summary>
    /// <param name="max">The maximum number.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<IReadOnlyList<FailedEvent>> ListAsync(int max, CancellationToken cancellationToken);

    /// <summary>Returns the number of dead letters.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Makes all present dead letters due at once. Their attempts are reset, and their number of manual retries
    /// increases by one. Those that fail again meanwhile are not retried twice.
    /// </summary>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Stops after the current dead letter.</param>
    /// <returns>The number of dead letters that are due again.</returns>
    public abstract ValueTask<int> RetryAllAsync(DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>
    /// Claims pending alerts, oldest first, for the duration of the lease. Alerts that are not marked as sent by then
    /// are pending again.
    /// </summary>
    /// <param name="now">The current time.</param>
    /// <param name="lease">The duration of the claim.</param>
    /// <param name="max">The maximum number of alerts.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(
        DateTimeOffset now, TimeSpan lease, int max, CancellationToken cancellationToken);

    /// <summary>
    /// Finds the dead letter of a claimed alert; null if it was retried or discarded meanwhile, or failed again since.
    /// </summary>
    /// <param name="alert">The claimed alert.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<FailedEvent?> FindAsync(PendingAlert alert, CancellationToken cancellationToken);

    /// <summary>
    /// Marks alerts as sent. An entry that has become a dead letter again since then still needs its own alert.
    /// </summary>
    /// <param name="sent">The alerts.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask MarkAlertedAsync(IReadOnlyCollection<PendingAlert> sent, CancellationToken cancellationToken);
}
