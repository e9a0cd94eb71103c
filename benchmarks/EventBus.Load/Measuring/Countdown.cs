namespace EventBus.Load;

/// <summary>
/// Counts handled events and completes when all have arrived. Used by the handlers of all contenders.
/// </summary>
internal sealed class Countdown(long target)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long count;

    public void Count()
    {
        if (Interlocked.Increment(ref count) == target)
        {
            done.SetResult();
        }
    }

    /// <exception cref="TimeoutException">Not all events arrived in time.</exception>
    public async Task WaitAsync()
    {
        try
        {
            await done.Task.WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException(
                $"{Interlocked.Read(ref count):N0} of {target:N0} events were handled within {Patience.TotalMinutes} minutes.");
        }
    }
}
