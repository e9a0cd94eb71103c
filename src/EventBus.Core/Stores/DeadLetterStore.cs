namespace EventBus.Stores;

/// <summary>
/// The dead letters of a <see cref="KeyedFailureStore"/>: operators list, find, retry and discard single ones.
/// Thread-safe.
/// </summary>
public abstract class DeadLetterStore : DeadLetterQueue
{
    // After this number of failures in a row, RetryAllAsync requests the number of dead letters, to check that the
    // store still answers.
    private const int FailuresBeforeCheck = 20;

    private const int RetryPageSize = 1_000;

    /// <summary>Lists the dead letters that match, newest first.</summary>
    /// <param name="filter">The filter.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<IReadOnlyList<FailedEvent>> ListAsync(DeadLetterFilter filter, CancellationToken cancellationToken);

    /// <summary>
    /// Lists the ids and numbers of the dead letters that match, without their content, oldest first.
    /// </summary>
    /// <param name="filter">The filter, with the maximum number.</param>
    /// <param name="after">The number after which the listing begins.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<IReadOnlyList<(string Id, long Number)>> ListIdsAsync(
        DeadLetterFilter filter, long after, CancellationToken cancellationToken);

    /// <summary>Finds a dead letter; null if there is none with this id.</summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<FailedEvent?> FindAsync(string id, CancellationToken cancellationToken);

    /// <summary>Returns the number of dead letters that match.</summary>
    /// <param name="filter">The filter; its paging is ignored.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<long> CountAsync(DeadLetterFilter filter, CancellationToken cancellationToken);

    /// <summary>
    /// Makes a dead letter due at once. Its attempts and its deadline are reset, and its number of manual retries
    /// increases by one. Returns false if there is no such dead letter.
    /// </summary>
    /// <remarks>
    /// In a line, the entry becomes due when it is the head. If an order guard gave the entry up
    /// (<see cref="DeadLetterReason.OutOfOrder"/>), and no entry of its subscription and order key has a lower
    /// <see cref="FailedEvent.Position"/>, the gap before the entry is skipped: the position of the key is raised to
    /// the number before that of the entry, unless it is already as high.
    /// </remarks>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<bool> RetryAsync(string id, DateTimeOffset now, CancellationToken cancellationToken);

    /// <summary>
    /// Removes a dead letter; the next entry of its line becomes due. Returns false if there is no such dead letter.
    /// </summary>
    /// <param name="id">The dead letter's id.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public abstract ValueTask<bool> DiscardAsync(string id, CancellationToken cancellationToken);

    /// <summary>Removes old dead letters, each as by <see cref="DiscardAsync"/>.</summary>
    /// <param name="before">Dead letters that failed last before this time are removed.</param>
    /// <param name="max">The maximum number.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of dead letters that were removed.</returns>
    public abstract ValueTask<int> SweepAsync(DateTimeOffset before, int max, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the total size in bytes of the bodies of a subscription's dead letters that could not be read
    /// (<see cref="DeadLetterReason.Unreadable"/>, <see cref="DeadLetterReason.TooLarge"/>,
    /// <see cref="DeadLetterReason.UnknownEvent"/>) and are larger than a given size. Default 0, for a store that
    /// cannot determine it: then only the size of each single body is limited.
    /// </summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="above">The size in bytes above which a body counts.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public virtual ValueTask<long> MeasureUnreadableAsync(string subscription, int above, CancellationToken cancellationToken) =>
        ValueTask.FromResult(0L);

    /// <summary>
    /// Retries all dead letters that match now, oldest first. Those that fail again meanwhile are not retried twice.
    /// </summary>
    /// <param name="filter">The filter; its paging is ignored.</param>
    /// <param name="now">The current time.</param>
    /// <param name="cancellationToken">Stops after the current dead letter.</param>
    /// <returns>The number of dead letters that are due again.</returns>
    /// <exception cref="EventBusException">
    /// Some dead letters could not be made due again; all others are due.
    /// </exception>
    /// <exception cref="Exception">The store itself failed. The dead letters before the failure are due.</exception>
    public async ValueTask<int> RetryAllAsync(DeadLetterFilter filter, DateTimeOffset now, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(filter);

        // Entries that become dead letters from now on have higher numbers.
        var latest = await ListAsync(filter with { Before = null, Take = 1 }, cancellationToken);
        if (latest.Count == 0)
        {
            return 0;
        }

        var page = filter with { Before = latest[0].Number + 1, Take = RetryPageSize };
        var after = 0L;
        var retried = 0;
        var failed = 0;
        var failedInARow = 0;
        Exception? firstError = null;
        IReadOnlyList<(string Id, long Number)> found;
        do
        {
            found = await ListIdsAsync(page, after, cancellationToken);
            foreach (var (id, number) in found)
            {
                cancellationToken.ThrowIfCancellationRequested();
                after = number;
                try
                {
                    if (await RetryAsync(id, now, cancellationToken))
                    {
                        retried++;
                    }

                    failedInARow = 0;
                }
                catch (Exception exception) when (MayConcernOneEntry(exception, cancellationToken))
                {
                    failed++;
                    firstError ??= exception;

                    // If the store says that it refuses only this dead letter, it still answers.
                    if (exception is not StoreRefusedException { Scope: StoreScope.Entry })
                    {
                        failedInARow++;
                    }

                    if (failedInARow == FailuresBeforeCheck)
                    {
                        // Throws if the store itself has failed.
                        await CountAsync(page, cancellationToken);
                        failedInARow = 0;
                    }
                }
            }
        }
        while (found.Count >= RetryPageSize);

        return firstError is null ? retried : throw SomeFailed(retried, failed, firstError);
    }

    /// <inheritdoc/>
    public sealed override ValueTask<IReadOnlyList<FailedEvent>> ListAsync(int max, CancellationToken cancellationToken) =>
        ListAsync(new DeadLetterFilter { Take = max }, cancellationToken);

    /// <inheritdoc/>
    public sealed override ValueTask<long> CountAsync(CancellationToken cancellationToken) =>
        CountAsync(new DeadLetterFilter(), cancellationToken);

    /// <inheritdoc/>
    public sealed override ValueTask<int> RetryAllAsync(DateTimeOffset now, CancellationToken cancellationToken) =>
        RetryAllAsync(new DeadLetterFilter(), now, cancellationToken);

    /// <inheritdoc/>
    public sealed override async ValueTask<FailedEvent?> FindAsync(PendingAlert alert, CancellationToken cancellationToken) =>
        await FindAsync(alert.Id, cancellationToken) is { } entry && entry.Number == alert.Number ? entry : null;

    // Unless the store says otherwise, a failure is assumed to concern one dead letter only.
    private static bool MayConcernOneEntry(Exception exception, CancellationToken cancellationToken) =>
        !cancellationToken.IsCancellationRequested && exception is not StoreRefusedException { Scope: StoreScope.Store };

    private static EventBusException SomeFailed(int retried, int failed, Exception firstError) => new(
        $"{retried} dead letters are due again, and {failed} could not be retried. Those are still dead letters; "
        + $"the first failed with: {ExceptionText.MessageOf(firstError)}",
        firstError);
}
