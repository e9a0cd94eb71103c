using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed class VolatileBackendCheckTests
{
    [Fact]
    public async Task Start_OnAVolatileBackend_WarnsWhereDurabilityIsExpected()
    {
        using var log = new LogMemory();
        await using var running = await StartAsync(new LossyTransport(new() { System = "lossy" }), log);

        Assert.Equal(
            ["once is idempotent, and lossy loses events", "guarded has a guard, and lossy loses events"],
            log.At(LogLevel.Warning).Select(text => text[..text.IndexOf(':', StringComparison.Ordinal)]));
        Assert.Contains(
            log.At(LogLevel.Information),
            text => text.StartsWith("lossy delivers an event only to instances", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Start_OnADurableBackend_LogsNoWarning(bool durable, bool redelivers)
    {
        using var log = new LogMemory();
        await using var running = await StartAsync(
            new LossyTransport(new() { System = "kept", Durable = durable, Redelivers = redelivers }),
            log);

        Assert.DoesNotContain(
            log.Entries,
            entry => entry.Text.Contains("kept hands", StringComparison.Ordinal) || entry.Level > LogLevel.Information);
    }

    private static Task<RunningBus> StartAsync(LossyTransport transport, LogMemory log) => RunningBus.StartAsync(
        bus => bus.UseTransport("UseLossy()", _ => transport).StoreInMemory()
            .Subscribe<OrderPlaced>("plain", Nothing)
            .Subscribe("once", s => s.On<OrderPlaced>(Nothing).Idempotent())
            .Subscribe("guarded", s => s.On<OrderPlaced>(Nothing).Sequenced<OrderPlaced>(_ => 1)),
        services: services => services.AddLogging(logging => logging.AddProvider(log)));

    private static Task Nothing(OrderPlaced e, EventContext context, CancellationToken token) => Task.CompletedTask;

    private sealed class LossyTransport(TransportFeatures features) : ScriptedTransport
    {
        public override TransportFeatures Features => features;

        public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
        {
            outcomes.Span.Fill(PublishOutcome.Accepted);
            return ValueTask.CompletedTask;
        }

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            ValueTask.FromResult<Receiver>(new ScriptedReceiver(_ => { }));
    }
}
