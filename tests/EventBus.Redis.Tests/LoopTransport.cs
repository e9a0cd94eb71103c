using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus.Redis.Tests;

/// <summary>
/// A backend for tests of stores: delivers each published event to the only subscription of this process.
/// </summary>
internal sealed class LoopTransport : Transport, IDeliverySettler
{
    private readonly Channel<Delivery> channel = Channel.CreateUnbounded<Delivery>();

    public override TransportFeatures Features { get; } = new() { System = "loop", Redelivers = true };

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        foreach (var envelope in batch.Span)
        {
            channel.Writer.TryWrite(new Delivery(envelope, this));
        }

        outcomes.Span.Fill(PublishOutcome.Accepted);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        ValueTask.FromResult<Receiver>(new LoopReceiver(channel));

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;

    public ValueTask AckAsync(in Delivery delivery) => ValueTask.CompletedTask;

    public ValueTask ReleaseAsync(in Delivery delivery)
    {
        channel.Writer.TryWrite(delivery);
        return ValueTask.CompletedTask;
    }

    private sealed class LoopReceiver(Channel<Delivery> channel) : Receiver
    {
        public override ChannelReader<Delivery> Deliveries => channel.Reader;

        public override ValueTask StopIntakeAsync()
        {
            channel.Writer.TryComplete();
            return ValueTask.CompletedTask;
        }

        public override ValueTask DisposeAsync() => StopIntakeAsync();
    }
}
