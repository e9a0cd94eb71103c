using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Conformance;

/// <summary>
/// Creates an event that cannot be serialized as JSON. A bus accepts such an event if its transport passes the object
/// on (<see cref="TransportFeatures.Serializes"/> is false): only a store that needs the bytes serializes it.
/// </summary>
internal static class UnserializableEvent
{
    public static async Task<Envelope> CreateAsync(string id)
    {
        var transport = new ObjectTransport();
        await using var services = new ServiceCollection().AddEventBus(
            bus => bus.UseTransport("Object()", _ => transport).Publishes<AmountMeasured>()).BuildServiceProvider();
        IHostedService[] hostedServices = [.. services.GetServices<IHostedService>()];
        foreach (var service in hostedServices)
        {
            await service.StartAsync(CancellationToken.None);
        }

        await services.GetRequiredService<IEventBus>().PublishAsync(new AmountMeasured(double.NaN), new PublishOptions { EventId = id });
        foreach (var service in hostedServices)
        {
            await service.StopAsync(CancellationToken.None);
        }

        return transport.Published!;
    }

    /// <summary>An event whose amount can be NaN, which JSON cannot represent.</summary>
    private sealed record AmountMeasured(double Amount);

    /// <summary>Accepts every event, and keeps the last one without serializing it.</summary>
    private sealed class ObjectTransport : Transport
    {
        public override TransportFeatures Features { get; } = new() { System = "object", Serializes = false };

        public Envelope? Published { get; private set; }

        public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
        {
            Published = batch.Span[0];
            outcomes.Span[0] = PublishOutcome.Accepted;
            return ValueTask.CompletedTask;
        }

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
