using System.Threading.Channels;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests a delayed event that can never be published when it is due.</summary>
public sealed class DelayedRefusalTests : IAsyncDisposable
{
    private static readonly TimeSpan Delay = TimeSpan.FromMinutes(1);

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly RefusingTransport transport = new();
    private readonly Alerts alerts = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    [Fact]
    public async Task Delayed_RefusedPermanently_IsADeadLetterWithAnAlertAndPublishedByARetry()
    {
        await using var running = await StartAsync();
        transport.Outcome = PublishOutcome.Rejected(new InvalidOperationException("The broker refuses it."));
        await running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions { EventId = "e-1", NotBefore = time.GetUtcNow() + Delay },
            Token);
        time.Advance(Delay);

        var alert = await alerts.NextAsync();
        Assert.Equal(("e-1", DeadLetterReason.Unpublishable, "eventbus/delayed"), (alert.EventId, alert.Reason, alert.Subscription));
        Assert.Contains("The broker refuses it.", alert.Error, StringComparison.Ordinal);
        Assert.Equal(1, await transport.NextAsync());

        // The alert is not repeated with each lease.
        time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(1, await running.DeadLetters.CountAsync(cancellationToken: Token));

        // While it is refused, a retry has the same result.
        Assert.Equal(1, await running.DeadLetters.RetryAllAsync(new DeadLetterFilter(), Token));
        Assert.Equal(2, await transport.NextAsync());
        Assert.Equal("e-1", (await alerts.NextAsync()).EventId);

        transport.Outcome = PublishOutcome.Accepted;
        Assert.True(await running.DeadLetters.RetryAsync(alert.Id, Token));
        Assert.Equal(3, await transport.NextAsync());
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Delayed_NotAcceptedNow_StaysAndIsPublishedLater()
    {
        await using var running = await StartAsync();
        transport.Outcome = PublishOutcome.InDoubt(new InvalidOperationException("No answer."));
        await running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions { EventId = "e-1", NotBefore = time.GetUtcNow() + Delay },
            Token);
        time.Advance(Delay);
        Assert.Equal(1, await transport.NextAsync());

        transport.Outcome = PublishOutcome.Accepted;
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
        var second = transport.NextAsync();
        while (!second.IsCompleted)
        {
            time.Advance(Delay);
        }

        Assert.Equal(2, await second);
    }

    /// <summary>An event leaves the store of the delayed events only when its dead letter is stored.</summary>
    [Fact]
    public async Task Delayed_RefusedAndTheBusStopsBeforeTheDeadLetterIsStored_StaysInTheStore()
    {
        var attempted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var failures = new FaultyStore
        {
            BeforeRecording = _ =>
            {
                attempted.TrySetResult();
                throw new IOException("down");
            },
        };
        var delays = new InMemoryDelayStore(1_000);
        await using (var running = await StartAsync(
            bus => bus.UseStores(_ => new TestBusStores("test", failures: failures, delays: delays))))
        {
            transport.Outcome = PublishOutcome.Rejected(new InvalidOperationException("The broker refuses it."));
            await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { NotBefore = time.GetUtcNow() + Delay }, Token);
            time.Advance(Delay);
            await attempted.Task.WaitAsync(RunningBus.Patience, Token);
        }

        Assert.Equal(1, await delays.CountAsync(Token));
    }

    private Task<RunningBus> StartAsync() => StartAsync(bus => bus.StoreInMemory());

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> stores) => RunningBus.StartAsync(
        bus =>
        {
            stores(bus);
            bus.UseTransport("UseRefusing()", _ => transport)
                .Publishes<OrderPlaced>()
                .AddAlert<Alerts>()
                .Configure(options => options.AlertInterval = TimeSpan.Zero);
        },
        time,
        services => services.AddSingleton(alerts));

    private sealed class Alerts : IDeadLetterNotifier
    {
        private readonly Channel<DeadLetter> came = Channel.CreateUnbounded<DeadLetter>();

        public async Task<DeadLetter> NextAsync() => await came.Reader.ReadAsync(Token).AsTask().WaitAsync(RunningBus.Patience, Token);

        public async Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) =>
            await came.Writer.WriteAsync(alert.First, cancellationToken);
    }
}
