using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Advances a fake time step by step until a condition is true. The code under test can run after each step, and
/// real time passes after every 16 steps.
/// </summary>
internal static class FakeTimeExtensions
{
    private const int StepsAtOnce = 16;

    /// <exception cref="TimeoutException">The condition was false for 60 s of real time.</exception>
    public static Task AdvanceUntilAsync(
        this FakeTimeProvider time,
        TimeSpan step,
        string what,
        Func<bool> condition,
        CancellationToken cancellationToken) =>
        time.AdvanceUntilAsync(step, () => what, () => Task.FromResult(condition()), cancellationToken);

    /// <summary>The text is created after the deadline, so that it can contain the current state.</summary>
    /// <exception cref="TimeoutException">The condition was false for 60 s of real time.</exception>
    public static Task AdvanceUntilAsync(
        this FakeTimeProvider time,
        TimeSpan step,
        Func<string> what,
        Func<Task<bool>> condition,
        CancellationToken cancellationToken) => Until.SteppedAsync(
            what,
            async () =>
            {
                for (var i = 0; i < StepsAtOnce; i++)
                {
                    if (await condition())
                    {
                        return true;
                    }

                    time.Advance(step);
                    await Task.Yield();
                }

                return false;
            },
            cancellationToken);
}
