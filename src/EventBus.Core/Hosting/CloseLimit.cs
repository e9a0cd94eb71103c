using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Limits the time of each step of a stop that cancels, settles or closes something. A step that takes longer continues
/// in the background.
/// </summary>
internal sealed class CloseLimit(BusServices services)
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(3);

    /// <summary>Waits until a condition is true, at most for the close timeout. Does not throw.</summary>
    /// <param name="condition">The condition, which is checked when the bus may be idle.</param>
    /// <param name="hostAborts">Ends the wait, because the host ends the stop.</param>
    public async Task WaitUntilAsync(Func<bool> condition, CancellationToken hostAborts)
    {
        using var limit = hostAborts.WithTimeout(CloseTimeout, services.Time);
        await services.Idle.WaitAsync(() => Task.FromResult(condition()), limit.Token).Quietly();
    }

    /// <summary>Waits for a task, at most for the close timeout. Does not throw.</summary>
    public Task WaitAsync(Task task) => Task.WhenAny(task.Observed(), Task.Delay(CloseTimeout, services.Time));

    /// <summary>
    /// Cancels a token source. Handlers may have registered callbacks on the token: callbacks that block or throw must
    /// not delay the stop.
    /// </summary>
    public Task CancelAsync(CancellationTokenSource source) => WaitAsync(source.CancelAsync());

    /// <summary>Waits for the end of a close, at most for the close timeout. Logs a failure or a timeout.</summary>
    public async Task CloseAsync(Task closing)
    {
        await WaitAsync(closing);
        if (!closing.IsCompletedSuccessfully)
        {
            services.Log.CloseFailed(closing.Exception ?? (Exception)new TimeoutException($"Closing took longer than {CloseTimeout}."));
        }
    }
}
