using System.Threading.Channels;
using EventBus.Transports;

namespace EventBus;

/// <summary>A transport that gives each publish the same answer, and counts the calls.</summary>
internal sealed class RefusingTransport : Transport
{
    private readonly Channel<int> published = Channel.CreateUnbounded<int>();
    private int count;

    public PublishOutcome Outcome { get; set; }

    public override TransportFeatures Features { get; } = new() { System = "refusing", Durable = true };

    public async Task<int> NextAsync() => await published.Reader.ReadAsync(TestContext.Current.CancellationToken)
        .AsTask()
        .WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);

    public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        outcomes.Span.Fill(Outcome);
        published.Writer.TryWrite(++count);
        return ValueTask.CompletedTask;
    }

    public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
        throw new InvalidOperationException("never subscribed");

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
