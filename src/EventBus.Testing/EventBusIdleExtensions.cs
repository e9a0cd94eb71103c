using EventBus.Transports;

namespace EventBus;

/// <summary>Supports tests: waits until the bus is idle, instead of for a fixed time.</summary>
public static class EventBusIdleExtensions
{
    /// <summary>
    /// Completes when no event is in flight and none is due: every subscription has handled its events, and every retry
    /// and delayed event whose time has come is done.
    /// </summary>
    /// <remarks>
    /// Does not wait for events that become due later, but waits for events in the queue of a paused subscription. With
    /// a fake <see cref="TimeProvider"/>, advance the time and wait again. Requires a backend that counts its work: the
    /// in-memory backend.
    /// </remarks>
    /// <param name="bus">The bus; it must be running.</param>
    /// <param name="timeout">The longest time to wait, by the system clock.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="TimeoutException">The bus was still busy after <paramref name="timeout"/>.</exception>
    /// <exception cref="InvalidOperationException">
    /// The backend does not count its work, or <paramref name="bus"/> is a test double.
    /// </exception>
    public static Task WhenIdleAsync(this IEventBus bus, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(bus);
        if (bus is not BusClient client)
        {
            throw new InvalidOperationException($"{bus.GetType()} is not a running event bus, so there is nothing to wait for.");
        }

        return WhenIdleAsync(client, timeout, cancellationToken);
    }

    private static async Task WhenIdleAsync(BusClient client, TimeSpan timeout, CancellationToken cancellationToken)
    {
        await client.CallerContext.Leave();
        var bus = client.Running();
        if (!bus.Transport.Features.CountsWork)
        {
            throw new InvalidOperationException(
                $"Only bus.UseInMemory() counts its work. With {bus.Transport.Features.System}, wait for an effect of the handlers.");
        }

        // The system clock, because a test really waits, even if the bus runs on a fake clock.
        using var limit = cancellationToken.WithTimeout(timeout, TimeProvider.System);
        try
        {
            // The outer wait ends at the limit even if a store does not answer when it is asked for its due entries.
            await bus.Idle.WhenIdleAsync(limit.Token).WaitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            var work = bus.Transport.Work;
            throw new TimeoutException(
                $"The event bus was still busy after {timeout}: {work.Accepted - work.Settled} events are queued or in a handler. If "
                    + "there are none, retries, delayed events, sagas or alerts are due.");
        }
    }
}
