namespace EventBus;

/// <summary>Handles the events of a forward: sends them to the other bus of the application.</summary>
/// <param name="bus">The name of the bus that forwards, in the mark of its events.</param>
/// <param name="target">The other bus.</param>
internal sealed class EventForwarder(string bus, BusHost target)
{
    /// <summary>Creates the handler of a forward.</summary>
    /// <param name="plan">The plan of the bus that forwards.</param>
    /// <param name="forward">The other bus.</param>
    /// <param name="services">The services of the application.</param>
    public static EventDelegate Create(BusPlan plan, ForwardRegistration forward, IServiceProvider services)
    {
        var target = EventBusServiceCollectionExtensions.HostOf(services, forward.To);
        target.StopAfter(EventBusServiceCollectionExtensions.HostOf(services, plan.Registration.Key));
        return new EventForwarder(plan.ServiceName, target).ForwardAsync;
    }

    private async Task ForwardAsync(EventContext context, CancellationToken cancellationToken)
    {
        var received = context is DeliveryContext delivery
            ? delivery.Envelope
            : throw new InvalidOperationException("A middleware given to bus.Use has passed on another context than its own.");
        var envelope = ForwardedEnvelope.Create(received, bus);

        // The buses of an application start one after the other.
        var running = target.Running ?? await target.WhenRunningAsync(cancellationToken);
        await running.Publishing.Forwards.SendAsync(envelope, cancellationToken);
    }
}
