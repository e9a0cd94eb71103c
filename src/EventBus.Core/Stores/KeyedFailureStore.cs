namespace EventBus.Stores;

/// <summary>
/// A <see cref="RetryStore"/> that finds its entries by id and key, so that subscriptions can be ordered and guarded,
/// attempts can be counted, and operators can handle single dead letters. Thread-safe.
/// </summary>
/// <remarks>
/// <para>
/// Entries of a subscription with the same <see cref="FailedEvent.LineKey"/> form a line, in order of arrival. Only the
/// head is ever due. A dead head blocks the line until it is retried, discarded, or recorded again without a line key.
/// When the head leaves, the next entry becomes the head: a parked one is due at once, a waiting one at its own time,
/// and a dead one blocks the line again. The line exists while it has entries; a claimed head is still in the line.
/// </para>
/// <para>
/// <see cref="RetryStore.RecordAsync"/> of a fresh entry also removes its counted attempts, in the same operation.
/// </para>
/// </remarks>
public abstract class KeyedFailureStore : RetryStore
{
    /// <inheritdoc/>
    public abstract override DeadLetterStore DeadLetters { get; }

    /// <summary>Returns false: attempts are counted with <see cref="CountAttemptAsync"/>.</summary>
    /// <param name="entry">Not used.</param>
    /// <param name="cancellationToken">Not used.</param>
    public sealed override ValueTask<bool> TryTakeRedeliveredAsync(FailedEvent entry, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    /// <summary>
    /// Counts attempts of an event that was delivered before and not settled: an earlier attempt may have ended its
    /// process.
    /// </summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="eventId">The event's id.</param>
    /// <param name="added">
    /// The numbers to add: the attempt that follows, or one concurrent attempt if the attempt in progress became
    /// concurrent. The default value adds nothing and returns the count. If <see cref="AttemptCount.Attempts"/> is 0
    /// and no attempt of the event is counted yet, nothing is added.
    /// </param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>
    /// The new count. It includes the first attempt, for which this method is not called. Null if the event is already
    /// stored as an entry, and needs no attempt.
    /// </returns>
    public abstract ValueTask<AttemptCount?> CountAttemptAsync(
        string subscription, string eventId, AttemptCount added, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>Removes the count of <see cref="CountAttemptAsync"/> after the event was handled.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="eventId">The event's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask ForgetAttemptsAsync(string subscription, string eventId, CancellationToken cancellationToken);

    /// <summary>Parks an event at the end of the line of its key, if the line exists, in one operation.</summary>
    /// <param name="entry">The event, with the status <see cref="FailedEventStatus.Parked"/>.</param>
    /// <param name="limit">The maximum number of parked events in the line.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<ParkOutcome> TryParkAsync(FailedEvent entry, int limit, CancellationToken cancellationToken);

    /// <summary>Returns the stamp and the position of a key of a guarded subscription.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="orderKey">The key; empty for events without one.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>
    /// The stamp, which increases whenever an event of the key is settled, and the highest number that was settled;
    /// 0 and null for an unknown key.
    /// </returns>
    public abstract ValueTask<(long Stamp, long? Position)> GetOrderAsync(
        string subscription, string orderKey, CancellationToken cancellationToken);

    /// <summary>
    /// Stores an event that a guard defers, fresh or claimed, unless an event of its key was settled since the guard's
    /// decision.
    /// </summary>
    /// <remarks>A deferred entry is in no line: a claimed entry leaves its line.</remarks>
    /// <param name="entry">
    /// The event, with the status <see cref="FailedEventStatus.Deferred"/>, an order key and a deadline. It is due at
    /// <see cref="FailedEvent.DueAt"/>, or when <see cref="AdvanceAsync"/> makes it due.
    /// </param>
    /// <param name="stamp">The stamp that the guard's decision was based on.</param>
    /// <param name="limit">The maximum number of deferred events of a key.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<DeferOutcome> DeferAsync(FailedEvent entry, long stamp, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Records that an event of a key was settled: handled, skipped, or passed as a dead letter. Increases the key's
    /// stamp, and raises its position if the given one is higher. Makes deferred entries of the key due: all those
    /// without a position, and of the others the one with the lowest position.
    /// </summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="orderKey">The key; empty for events without one.</param>
    /// <param name="position">The event's number; null if the guard does not use numbers.</param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>True if an entry was made due.</returns>
    public abstract ValueTask<bool> AdvanceAsync(
        string subscription, string orderKey, long? position, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>
    /// Removes attempt counts and order keys that have not changed for a long time. Order keys with deferred entries
    /// stay.
    /// </summary>
    /// <param name="attemptsBefore">Attempts that were last counted before this time are removed.</param>
    /// <param name="orderBefore">Order keys that were last settled before this time are removed.</param>
    /// <param name="max">The maximum number of each kind.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask SweepAsync(
        DateTimeOffset attemptsBefore,
        DateTimeOffset orderBefore,
        int max,
        CancellationToken cancellationToken);
}
