namespace EventBus.Stores;

/// <summary>Ends a caller's wait for a store at a deadline, whatever the store does. Thread-safe.</summary>
/// <param name="timeout">How long a call may take.</param>
/// <param name="time">The clock.</param>
internal sealed class StoreCalls(TimeSpan timeout, TimeProvider time)
{
    // A store that withdraws a call which it has not begun says so right after the deadline.
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(100);

    /// <summary>Asks the store, and waits for its answer as long as a call may take.</summary>
    /// <param name="call">Asks; its token is cancelled at the deadline, and when the caller gives up.</param>
    /// <param name="purpose">What the call is for, in the words of an error.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <param name="turns">How many times the usual time the call may take.</param>
    /// <exception cref="EventBusException">The store gave no answer in time.</exception>
    public async Task<T> AskAsync<T>(Func<CancellationToken, ValueTask<T>> call, string purpose, CancellationToken cancellationToken, long turns = 1)
    {
        using var deadline = new CancellationTokenSource(timeout * turns, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            return await UntilAsync(call(either.Token).AsTask(), time, deadline.Token, cancellationToken);
        }
        catch (Exception exception) when (exception is OperationCanceledException or TimeoutException && deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new EventBusException($"The store gave no answer within {timeout * turns} (EventBusOptions.PublishTimeout): it is in doubt whether it has done what was asked ({purpose}). Call again; doing it twice changes nothing.", exception);
        }
    }

    /// <summary>Waits until the store has answered, the deadline has come, or the caller gives up.</summary>
    /// <exception cref="OperationCanceledException">The caller gave up, or the store ended the call at the deadline.</exception>
    /// <exception cref="TimeoutException">The deadline has come, and the store has not ended the call.</exception>
    public static async Task<T> UntilAsync<T>(Task<T> asked, TimeProvider time, CancellationToken deadline, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline, cancellationToken);
        try
        {
            return await asked.Observed().WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!asked.IsCompleted && !cancellationToken.IsCancellationRequested)
        {
            return await asked.WaitAsync(Grace, time, cancellationToken);
        }
    }
}
