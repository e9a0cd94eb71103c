namespace EventBus;

/// <summary>
/// Wakes one waiter. A signal that is given while there is no waiter ends the next wait at once. Signals are not
/// counted. Thread-safe, but only one may wait at a time.
/// </summary>
internal sealed class SendSignal
{
    private volatile TaskCompletionSource given = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Gives the signal.</summary>
    public void Give() => given.TrySetResult();

    /// <summary>Waits for the signal.</summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await given.Task.WaitAsync(cancellationToken);
        given = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Waits for the signal, at most for a time.</summary>
    /// <param name="limit">The longest wait.</param>
    /// <param name="time">The clock.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task WaitAsync(TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        var waiting = given;
        await Task.WhenAny(waiting.Task, Task.Delay(limit, time, cancellationToken));
        cancellationToken.ThrowIfCancellationRequested();
        if (waiting.Task.IsCompleted)
        {
            given = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
