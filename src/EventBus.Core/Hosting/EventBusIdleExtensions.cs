namespace EventBus;

/// <summary>For tests: waiting for a cause instead of a delay.</summary>
public static class EventBusIdleExtensions
{
    /// <summary>Completes when no event is in flight and none is due: every subscription has handled what it was sent, and every retry and delayed event whose time has come is done.</summary>
    /// <remarks>Events that become due later are not waited for; those that a paused subscription has queued are. With a fake <see cref="TimeProvider"/>, advance it and wait again. Needs a backend that counts its work: the in-memory one.</remarks>
    /// <param name="bus">The bus; it must be running.</param>
    /// <param name="timeout">How long to wait at most, by the system's clock.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <exception cref="TimeoutException">The bus was still busy.</exception>
    /// <exception cref="NotSupportedException">The backend cannot count its work, or the bus is a stand-in.</exception>
    public static Task WhenIdleAsync(this IEventBus bus, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(bus);
        if (bus is not BusClient client)
        {
            throw new NotSupportedException($"{bus.GetType()} is not a running event bus, so there is nothing to wait for.");
        }

        return client.CallerContext.EnterAsync(() => WhenIdleAsync(client, timeout, cancellationToken));
    }

    private static async Task WhenIdleAsync(BusClient client, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var engine = client.RunningEngine();
        if (!engine.Transport.Features.CountsWork)
        {
            throw new NotSupportedException($"The backend {engine.Transport.Features.System} does not count its work, so nobody can tell when it is idle. Use bus.UseInMemory() for this.");
        }

        // The system's clock on purpose: this bounds a real wait, also where the bus itself runs on a fake clock.
        using var limit = new CancellationTokenSource(timeout, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            // Also when a store does not answer how much of its work is due.
            await engine.WhenIdleAsync(either.Token).WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            var work = engine.Transport.Work;
            throw new TimeoutException($"The event bus was still busy after {timeout}: {work.Accepted - work.Settled} deliveries are queued or in a handler.");
        }
    }
}
