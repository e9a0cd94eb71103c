using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests the comparison of a subscription's consumers with the instances that share the store.</summary>
public sealed class UnknownConsumerMonitorTests : IAsyncDisposable
{
    private static readonly TimeSpan ExpiresAfter = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly LogMemory log = new();
    private readonly CountingTransport transport = new();
    private readonly KnownInstances known = new();
    private readonly CancellationTokenSource stop = new();
    private readonly UnknownConsumerMonitor watch;
    private Task running = Task.CompletedTask;

    public UnknownConsumerMonitorTests() => watch = new UnknownConsumerMonitor(
        transport,
        new TestBusStores("in a file", instances: known),
        "me",
        ["mail", "stock"],
        TestServices.Create(time, log));

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
        await transport.DisposeAsync();
        log.Dispose();
    }

    [Fact]
    public async Task Instance_Alone_LogsOnceAndIsHealthy()
    {
        await CheckAsync(checks: 20);

        Assert.Null(watch.Problem);
        Assert.Contains("in a file", Assert.Single(log.At(LogLevel.Information)), StringComparison.Ordinal);
        Assert.Empty(log.At(LogLevel.Warning));
    }

    [Fact]
    public async Task Predecessor_CountedNoLongerThanAStoppedOneMayBe_IsNoForeignInstance()
    {
        transport.Others = 1;
        await CheckAsync(checks: (int)(ExpiresAfter / Period) + 1);
        Assert.Null(watch.Problem);

        transport.Others = 0;
        await CheckAsync(checks: 20);

        Assert.Null(watch.Problem);
        Assert.Empty(log.At(LogLevel.Warning));
    }

    [Fact]
    public async Task Predecessors_OneAfterAnother_EachHaveTheirGracePeriod()
    {
        for (var i = 0; i < 5; i++)
        {
            transport.Others = 1;
            await CheckAsync(checks: 4);
            transport.Others = 0;
            await CheckAsync(checks: 1);
        }

        Assert.Null(watch.Problem);
        Assert.Empty(log.At(LogLevel.Warning));
    }

    [Fact]
    public async Task ForeignInstance_ThatStays_IsNamedOnceWithBothFixesUntilItStops()
    {
        transport.Others = 1;
        await CheckAsync(checks: 20);

        Assert.Contains("'mail', 'stock'", watch.Problem, StringComparison.Ordinal);
        Assert.Contains("the same file of SQLite), or run one instance only", watch.Problem, StringComparison.Ordinal);
        Assert.Contains(
            "the same file of SQLite), or run one instance only",
            Assert.Single(log.At(LogLevel.Warning)),
            StringComparison.Ordinal);

        transport.Others = null;
        await CheckAsync(checks: 3);
        Assert.NotNull(watch.Problem);

        transport.Others = 0;
        await CheckAsync(checks: 1);
        Assert.Null(watch.Problem);
        Assert.Single(log.At(LogLevel.Warning));
    }

    [Fact]
    public async Task Instances_ThatShareTheStore_AreNotForeign()
    {
        (transport.Others, known.Count) = (2, 3);
        await CheckAsync(checks: 20);
        Assert.Null(watch.Problem);

        // One more than the store contains.
        transport.Others = 3;
        await CheckAsync(checks: 20);
        Assert.NotNull(watch.Problem);
    }

    [Fact]
    public async Task Store_Unreachable_KeepsTheLastResultAndTheNextCheckContinues()
    {
        known.Error = new IOException("away");
        await CheckAsync(checks: 3);
        known.Error = null;
        transport.Others = 1;
        await CheckAsync(checks: 20);

        Assert.NotNull(watch.Problem);
    }

    /// <summary>Lets a number of checks run: the first at once, each other after a period.</summary>
    private async Task CheckAsync(int checks)
    {
        for (var i = 0; i < checks; i++)
        {
            var next = known.NextAsync();
            if (running.IsCompleted)
            {
                running = watch.RunAsync(stop.Token);
            }
            else
            {
                time.Advance(Period);
            }

            await next.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Answers at once, so that a check has ended when the time advances.</summary>
    private sealed class KnownInstances : InstanceStore
    {
        private TaskCompletionSource? looked;

        public int Count { get; set; } = 1;

        public Exception? Error { get; set; }

        public Task NextAsync() => (looked = new TaskCompletionSource()).Task;

        public override ValueTask<IReadOnlyDictionary<string, int>> RecordAsync(
            string instance,
            IReadOnlyCollection<string> subscriptions,
            DateTimeOffset now,
            TimeSpan validFor,
            CancellationToken cancellationToken)
        {
            looked?.TrySetResult();
            return Error is null
                ? ValueTask.FromResult<IReadOnlyDictionary<string, int>>(
                    subscriptions.ToDictionary(subscription => subscription, _ => Count))
                : throw Error;
        }

        public override ValueTask ForgetAsync(string instance, CancellationToken cancellationToken) => ValueTask.CompletedTask;
    }

    private sealed class CountingTransport : Transport
    {
        public int? Others { get; set; } = 0;

        public override TransportFeatures Features { get; } = new() { System = "counting", SharesSubscriptions = true };

        public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public override ValueTask PublishAsync(
            ReadOnlyMemory<Envelope> batch,
            Memory<PublishOutcome> outcomes,
            CancellationToken deadline) => ValueTask.CompletedTask;

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("never subscribed");

        public override ValueTask<(int Count, TimeSpan ExpiresAfter)?> CountOtherConsumersAsync(
            string subscription,
            CancellationToken cancellationToken) =>
            ValueTask.FromResult<(int Count, TimeSpan ExpiresAfter)?>(Others is { } count ? (count, ExpiresAfter) : null);

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
