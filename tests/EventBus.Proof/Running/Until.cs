using System.Diagnostics;

namespace EventBus.Proof;

/// <summary>
/// Waits for what must happen, with its name and a deadline; and lets time pass where time itself is the fault or the
/// work.
/// </summary>
internal static class Until
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(20);

    /// <summary>Asks until the answer is yes.</summary>
    /// <exception cref="ProofException">It did not happen in time.</exception>
    public static async Task TrueAsync(string what, TimeSpan deadline, Func<Task<bool>> condition)
    {
        var begun = Stopwatch.GetTimestamp();
        using var timer = new PeriodicTimer(Step);
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(begun) > deadline)
            {
                throw new ProofException($"{what} did not happen within {deadline.TotalSeconds:0} s.");
            }

            await timer.WaitForNextTickAsync();
        }
    }

    /// <summary>
    /// Lets time pass: a handler's work, or how long a fault lasts. Never the way to wait for something.
    /// </summary>
    public static async Task PassedAsync(TimeSpan time, CancellationToken cancellationToken = default)
    {
        using var timer = new PeriodicTimer(time);
        await timer.WaitForNextTickAsync(cancellationToken);
    }
}

/// <summary>A proof could not be brought to its end.</summary>
internal sealed class ProofException(string message) : Exception(message);
