using EventBus;

namespace Checkout.Demo;

/// <summary>Waits until the shop has done what it was asked for. In memory the bus knows when nothing is left; behind a broker nobody does, so what the demo expects to see must do.</summary>
internal sealed class Quiet(IEventBus bus, Settings settings, TimeProvider time)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(20);

    /// <param name="expected">Whether it is done.</param>
    /// <param name="what">What is waited for.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
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
                throw new TimeoutException($"{what} did not come about within {Limit.TotalSeconds} s.");
            }

            await Task.Delay(Look, time, cancellationToken);
        }
    }
}
