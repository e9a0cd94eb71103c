using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Stores new sagas. Repeats the call to the store while the store gives no answer, and finds out whether an earlier
/// call has stored the saga. Thread-safe.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="timeout">The maximum duration of <see cref="CreateAsync"/>.</param>
/// <param name="time">The clock.</param>
internal sealed class SagaCreator(SagaStore store, TimeSpan timeout, TimeProvider time)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Stores a new saga, or finds that it already exists. Retries until the deadline, unless the store rejects the
    /// saga or is disposed.
    /// </summary>
    /// <returns>
    /// The entry if this call has created it and no instance has claimed it yet; null if the id was in use, or if an
    /// instance has claimed the saga of this call already.
    /// </returns>
    public async Task<SagaEntry?> CreateAsync(SagaEntry entry, CancellationToken cancellationToken)
    {
        using var deadline = new CancellationTokenSource(timeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);

        // An error after which the saga may have been stored: the outcome is in doubt from then on.
        Exception? doubt = null;
        while (true)
        {
            var isCreating = true;
            try
            {
                if (await AskAsync(token => store.CreateAsync(entry, token)))
                {
                    return entry with { Version = 1 };
                }

                isCreating = false;
                var known = await AskAsync(token => store.FindAsync(entry.Id, token));
                if (known is not null)
                {
                    return IsStoredByThisCall(known, entry) ? entry with { Version = 1 } : null;
                }

                // The store has refused the id, and does not find it: the saga was removed between the two calls,
                // because its retention has just ended. Try again.
            }
            catch (InvalidOperationException exception) when (isCreating && doubt is null && exception is not ObjectDisposedException)
            {
                // With this exception the store reports that it certainly did not accept the saga.
                throw Rejected(entry, exception);
            }
            catch (Exception exception) when (exception is not ArgumentException && !cancellationToken.IsCancellationRequested)
            {
                // An ArgumentException, which says that the id belongs to a saga of another name, is not caught: trying
                // again cannot help. The end of the wait at the deadline does not replace an earlier error, which says
                // more.
                if (doubt is null || !deadline.IsCancellationRequested)
                {
                    doubt = exception;
                }

                if (exception is ObjectDisposedException)
                {
                    throw InDoubt(entry, doubt);
                }
            }

            await Task.Delay(RetryDelay, time, linked.Token).Quietly();
            cancellationToken.ThrowIfCancellationRequested();
            if (deadline.IsCancellationRequested)
            {
                throw doubt is null ? Contradiction(entry) : InDoubt(entry, doubt);
            }
        }

        Task<T> AskAsync<T>(Func<CancellationToken, ValueTask<T>> call) =>
            StoreCalls.UntilAsync(call(deadline.Token).AsTask(), time, deadline.Token, cancellationToken);
    }

    /// <summary>
    /// True if an earlier attempt of this call has stored the saga with the id, and no instance has claimed it yet.
    /// </summary>
    /// <exception cref="ArgumentException">The id belongs to a saga of another name.</exception>
    private static bool IsStoredByThisCall(SagaEntry known, SagaEntry entry)
    {
        if (known.Saga != entry.Saga)
        {
            throw new ArgumentException(
                $"The saga id '{entry.Id}' belongs to a saga '{known.Saga}' already. Choose another id for this one.");
        }

        // Equal content shows that it was this call: the content contains an id that each call creates anew
        // (SagaProgress.Start). A version above 1 shows that an instance has claimed the saga.
        return known.Version == 1 && known.Content.Span.SequenceEqual(entry.Content.Span);
    }

    private static EventBusException Rejected(SagaEntry entry, Exception cause) =>
        new($"The saga '{entry.Saga}' {entry.Id} was not started: {ExceptionText.MessageOf(cause)}", cause);

    private static EventBusException Contradiction(SagaEntry entry) => new(
        $"The saga '{entry.Saga}' {entry.Id} was not started: the store refuses the id as used, but finds no such saga.");

    private static EventBusException InDoubt(SagaEntry entry, Exception cause) => new(
        $"It is in doubt whether the saga '{entry.Saga}' {entry.Id} was started, because the store gave no answer: "
            + $"{ExceptionText.MessageOf(cause)} To be sure, start it again with the id \"{entry.Id}\".",
        cause);
}
