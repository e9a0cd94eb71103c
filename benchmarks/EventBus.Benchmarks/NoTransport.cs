using EventBus.Transports;

namespace EventBus.Benchmarks;

/// <summary>Accepts every event and does nothing with it.</summary>
internal sealed class NoTransport(bool serializes) : Transport
{
    public override TransportFeatures Features { get; } = new() { System = "none", Serializes = serializes, CountsWork = true };

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        outcomes.Span.Fill(PublishOutcome.Accepted);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        throw new NotSupportedException("There are no subscriptions.");

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
