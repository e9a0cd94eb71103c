using EventBus.Transports;

namespace EventBus.Stores;

/// <summary>Limits the time that a caller waits for a store, whatever the store does. Thread-safe.</summary>
/// <param name="timeout">The maximum duration of a call.</param>
/// <param name="time">The clock.</param>
internal sealed class StoreCalls(TimeSpan timeout, TimeProvider time)
{
    // The time after the deadline in which a store can still report that it cancelled the call before it began.
    private static readonly TimeSpan AnswerGrace = TimeSpan.FromMilliseconds(100);

    /// <summary>Calls the store and waits for its answer until the timeout.</summary>
    /// <param name="call">
    /// The call. Its token is cancelled at the deadline, and when <paramref name="cancellationToken"/> is cancelled.
    /// </param>
    /// <param name="purpose">The operation in the imperative, for the text of the exception.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <param name="timeoutFactor">The factor by which the timeout is multiplied.</param>
    /// <exception cref="EventBusException">The store did not answer in time.</exception>
    public async Task<T> AskAsync<T>(
        Func<CancellationToken, ValueTask<T>> call, string purpose, CancellationToken cancellationToken, long timeoutFactor = 1)
    {
        using var deadline = cancellationToken.WithTimeout(timeout * timeoutFactor, time);
        try
        {
            return await UntilAsync(call(deadline.Token).AsTask(), time, deadline.Token, cancellationToken);
        }
        catch (Exception exception) when (exception is OperationCanceledException or TimeoutException
            && deadline.IsCancellationRequested
            && !cancellationToken.IsCancellationRequested)
        {
            throw new EventBusException(
                $"The store gave no answer within {timeout * timeoutFactor} (based on EventBusOptions.PublishTimeout), so it is in doubt "
                    + $"whether the operation was executed ({purpose}). It is safe to call again.",
                exception);
        }
    }

    /// <summary>Waits until the store has answered, the deadline has passed, or the caller cancels.</summary>
    /// <exception cref="OperationCanceledException">
    /// The caller cancelled, or the store ended the call at the deadline.
    /// </exception>
    /// <exception cref="TimeoutException">The deadline has passed, and the store has not ended the call.</exception>
    public static async Task<T> UntilAsync<T>(
        Task<T> call, TimeProvider time, CancellationToken deadline, CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(deadline, cancellationToken);
        try
        {
            return await call.Observed().WaitAsync(linked.Token);
        }
        catch (OperationCanceledException) when (!call.IsCompleted && !cancellationToken.IsCancellationRequested)
        {
            return await call.WaitAsync(AnswerGrace, time, cancellationToken);
        }
    }
}
