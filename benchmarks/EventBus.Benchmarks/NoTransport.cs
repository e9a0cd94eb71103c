using EventBus.Transports;

namespace EventBus.Benchmarks;

/// <summary>Accepts every event at once, and forgets it.</summary>
internal sealed class NoTransport(bool serializes) : Transport
{
    public override TransportFeatures Features { get; } = new() { System = "none", Serializes = serializes, CountsWork = true };

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        outcomes.Span.Fill(PublishOutcome.Accepted);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) => throw new NotSupportedException("Nobody subscribes here.");

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
