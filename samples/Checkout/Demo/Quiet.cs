using EventBus;

namespace Checkout.Demo;

/// <summary>
/// Waits until the work of the shop is done. In memory the bus knows when it is idle. With a broker it does not, so
/// the demo waits for the results that it expects.
/// </summary>
internal sealed class Quiet(IEventBus bus, Settings settings, TimeProvider time)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    /// <param name="expected">True if the work is done.</param>
    /// <param name="what">The work, for the message of a timeout.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task UntilAsync(Func<bool> expected, string what, CancellationToken cancellationToken)
    {
        if (settings.Transport == "memory")
        {
            await bus.WhenIdleAsync(Limit, cancellationToken);
            return;
        }

        for (var begun = time.GetTimestamp(); !expected();)
        {
            if (time.GetElapsedTime(begun) > Limit)
            {
                throw new TimeoutException($"{what} did not happen within {Limit.TotalSeconds} s.");
            }

            await Task.Delay(Look, time, cancellationToken);
        }
    }
}
