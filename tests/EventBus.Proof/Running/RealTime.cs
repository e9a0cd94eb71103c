namespace EventBus.Proof;

/// <summary>
/// Lets real time pass for the work of a handler or the duration of a fault. <see cref="Until"/> waits for a condition.
/// </summary>
internal static class RealTime
{
    public static async Task PassAsync(TimeSpan time, CancellationToken cancellationToken = default)
    {
        using var timer = new PeriodicTimer(time);
        await timer.WaitForNextTickAsync(cancellationToken);
    }
}
