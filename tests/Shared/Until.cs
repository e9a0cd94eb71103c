using System.Diagnostics;

namespace EventBus;

/// <summary>
/// Waits for a condition in real time, with a deadline and without spinning. The condition is checked at once, and then
/// after pauses that grow from 2 ms to 20 ms.
/// </summary>
internal static class Until
{
    /// <summary>The default deadline of a condition.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private const int ShortestPause = 2, LongestPause = 20; // milliseconds

    /// <exception cref="TimeoutException">The condition was false for 60 s.</exception>
    public static Task TrueAsync(string what, Func<bool> condition, CancellationToken cancellationToken) =>
        TrueAsync(what, () => Task.FromResult(condition()), cancellationToken);

    /// <exception cref="TimeoutException">The condition was false for 60 s.</exception>
    public static Task TrueAsync(string what, Func<Task<bool>> condition, CancellationToken cancellationToken) =>
        TrueAsync(what, Patience, condition, cancellationToken);

    /// <exception cref="TimeoutException">The condition was false until the deadline.</exception>
    public static Task TrueAsync(
        string what,
        TimeSpan deadline,
        Func<Task<bool>> condition,
        CancellationToken cancellationToken = default) => TrueAsync(() => what, deadline, condition, cancellationToken);

    /// <summary>The text is created after the deadline, so that it can contain the current state.</summary>
    /// <exception cref="TimeoutException">The condition was false until the deadline.</exception>
    public static Task TrueAsync(
        Func<string> what,
        TimeSpan deadline,
        Func<Task<bool>> condition,
        CancellationToken cancellationToken = default) => TrueAsync(what, deadline, LongestPause, condition, cancellationToken);

    /// <summary>Uses the same short pause each time, for a condition that advances a fake time.</summary>
    /// <exception cref="TimeoutException">The condition was false for 60 s.</exception>
    internal static Task SteppedAsync(Func<string> what, Func<Task<bool>> condition, CancellationToken cancellationToken) =>
        TrueAsync(what, Patience, ShortestPause, condition, cancellationToken);

    private static async Task TrueAsync(
        Func<string> what,
        TimeSpan deadline,
        int longestPause,
        Func<Task<bool>> condition,
        CancellationToken cancellationToken)
    {
        var begun = Stopwatch.GetTimestamp();
        for (var pause = ShortestPause; !await condition(); pause = Math.Min(2 * pause, longestPause))
        {
            if (Stopwatch.GetElapsedTime(begun) > deadline)
            {
                throw new TimeoutException($"Still waiting after {deadline.TotalSeconds:0} s: {what()}");
            }

            using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(pause));
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }
}
