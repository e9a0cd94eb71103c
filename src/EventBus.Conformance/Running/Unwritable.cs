using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Conformance;

/// <summary>
/// Creates an event that cannot be serialized as JSON. Such events occur in practice when an event is published on a
/// transport that never reads its bytes.
/// </summary>
internal static class Unwritable
{
    public static async Task<Envelope> EnvelopeAsync(string id)
    {
        var transport = new KeepingTransport();
        await using var services = new ServiceCollection().AddEventBus(
            bus => bus.UseTransport("Keeping()", _ => transport).Publishes<AmountMeasured>()).BuildServiceProvider();
        IHostedService[] hosted = [.. services.GetServices<IHostedService>()];
        foreach (var service in hosted)
        {
            await service.StartAsync(CancellationToken.None);
        }

        await services.GetRequiredService<IEventBus>().PublishAsync(new AmountMeasured(double.NaN), new PublishOptions { EventId = id });
        foreach (var service in hosted)
        {
            await service.StopAsync(CancellationToken.None);
        }

        return transport.Published!;
    }

    /// <summary>An event whose amount can be NaN, which JSON cannot represent.</summary>
    private sealed record AmountMeasured(double Amount);

    private sealed class KeepingTransport : Transport
    {
        public override TransportFeatures Features { get; } = new() { System = "keeping", Serializes = false };

        public Envelope? Published { get; private set; }

        public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
        {
            (Published, outcomes.Span[0]) = (batch.Span[0], PublishOutcome.Accepted);
            return ValueTask.CompletedTask;
        }

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
