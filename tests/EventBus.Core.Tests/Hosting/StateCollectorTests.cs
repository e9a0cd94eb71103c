using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests when the metrics of stores and backends are read, and what they show if that fails.</summary>
public sealed class StateCollectorTests : IAsyncDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly LogMemory memory = new();
    private readonly MeasuredState measured = new();
    private readonly CountedStore store = new();
    private readonly CountedTransport transport = new();
    private readonly CancellationTokenSource stop = new();
    private readonly StateCollector collector;
    private Task running = Task.CompletedTask;

    public StateCollectorTests()
    {
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(memory));
        var services = TestServices.Create(time, BackendLog.Create(factory, "EventBus", time)) with
        {
            Diagnostics = new BusDiagnostics(measured, time),
        };
        collector = new StateCollector(
            [new FailureStateReader(store, ["mail"], services), new BacklogReader(transport, services)],
            services);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
        measured.Dispose();
        await transport.DisposeAsync();
        memory.Dispose();
    }

    [Fact]
    public async Task Collector_WithoutAListener_ReadsNothing()
    {
        Start();
        await PassAsync(TimeSpan.FromMinutes(5));

        Assert.Equal((0, 0), (store.Calls, transport.Calls));

        // It begins as soon as there is one.
        measured.Observe();
        await UntilShownAsync("dead_letters.stored mail");
    }

    [Fact]
    public async Task Collector_CollectedOften_ReadsEvery10Seconds()
    {
        measured.Observe();
        Start();
        await UntilShownAsync("dead_letters.stored mail");
        var before = (store.Calls, transport.Calls);
        for (var i = 0; i < 100; i++)
        {
            measured.Collect();
        }

        Assert.Equal(before, (store.Calls, transport.Calls));
        var passed = time.GetUtcNow();
        await time.AdvanceUntilAsync(Second, "the store is read ten times", () => store.Calls >= before.Item1 + 10, Token);
        Assert.InRange(time.GetUtcNow() - passed, TimeSpan.FromSeconds(90), TimeSpan.FromSeconds(120));
    }

    [Fact]
    public async Task Values_OfAllKinds_AreShownBySubscription()
    {
        var began = time.GetUtcNow();
        store.Counts =
        [
            new FailureCounts
            {
                Subscription = "removed",
                Waiting = 3,
                Parked = 4,
                Deferred = 5,
                Dead = 6,
                OldestDue = began - TimeSpan.FromSeconds(90),
            }
        ];
        measured.Observe();
        Start();
        await UntilShownAsync("backlog.waiting mail");
        var shown = measured.Collect();

        Assert.Equal(6, shown["dead_letters.stored removed"]);
        Assert.Equal(3, shown["retries.waiting removed"]);
        Assert.Equal(4, shown["events.parked removed"]);
        Assert.Equal(5, shown["events.deferred removed"]);
        Assert.InRange(shown["retries.oldest_age removed"], 90, (time.GetUtcNow() - began).TotalSeconds + 90);

        // A subscription without entries has zeros, so that a rule sees that it has recovered.
        Assert.Equal(0, shown["dead_letters.stored mail"]);
        Assert.Equal(0, shown["retries.oldest_age mail"]);
        Assert.Equal(7, shown["backlog.waiting mail"]);
        Assert.Equal(2, shown["backlog.consumers mail"]);
        Assert.DoesNotContain("backlog.in_flight mail", shown.Keys);
    }

    [Fact]
    public async Task Values_OfAStoreThatIsDown_AreMissingAndLoggedOnce()
    {
        measured.Observe();
        Start();
        await UntilShownAsync("dead_letters.stored mail");

        store.Error = new IOException("no disk");
        await time.AdvanceUntilAsync(
            Second, "the value is missing", () => !measured.Collect().ContainsKey("dead_letters.stored mail"), Token);
        var calls = store.Calls;
        await time.AdvanceUntilAsync(Second, "the store is asked again", () => store.Calls > calls + 3, Token);
        Assert.Single(memory.At(LogLevel.Warning), IsAboutFailedEvents);

        // The clock of the test may pass the deadline of the backend before its answer is seen: the next one shows.
        await UntilShownAsync("backlog.waiting mail");
        Assert.Equal(7, measured.Collect()["backlog.waiting mail"]);

        store.Error = null;
        await UntilShownAsync("dead_letters.stored mail");
        Assert.Single(
            memory.At(LogLevel.Information),
            text => text.StartsWith("Recovered", StringComparison.Ordinal) && IsAboutFailedEvents(text));
    }

    [Fact]
    public async Task Values_OfABackendThatDoesNotAnswer_AreMissingAndDelayNoOthers()
    {
        measured.Observe();
        transport.Hangs = true;
        Start();
        await UntilShownAsync("dead_letters.stored mail");
        await time.AdvanceUntilAsync(Second, "the outage is logged", () => memory.At(LogLevel.Warning).Any(IsAboutValues), Token);

        Assert.DoesNotContain("backlog.waiting mail", measured.Collect().Keys);
        var calls = store.Calls;
        await time.AdvanceUntilAsync(Second, "the store is asked again", () => store.Calls > calls + 3, Token);
        Assert.Equal(0, measured.Collect()["dead_letters.stored mail"]);
    }

    [Fact]
    public async Task Values_AfterTheEnd_AreMissing()
    {
        measured.Observe();
        Start();
        await UntilShownAsync("dead_letters.stored mail");

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);

        Assert.Empty(measured.Collect());
    }

    [Fact]
    public async Task Subscriptions_OfAnyNumber_HaveABoundedNumberOfTags()
    {
        store.Counts = [.. Enumerable.Range(0, 1_000).Select(
            i => new FailureCounts { Subscription = $"s{i:D4}", Waiting = 0, Parked = 0, Deferred = 0, Dead = 1 })];
        measured.Observe();
        Start();
        await UntilShownAsync("dead_letters.stored _OTHER");

        var shown = measured.Collect().Where(each => each.Key.StartsWith("dead_letters", StringComparison.Ordinal)).ToDictionary();
        Assert.Equal(201, shown.Count);
        Assert.Equal(0, shown["dead_letters.stored mail"]);
        Assert.Equal(1_000 - 199, shown["dead_letters.stored _OTHER"]);
    }

    private static bool IsAboutFailedEvents(string text) => text.Contains("numbers of failed events", StringComparison.Ordinal);

    private static bool IsAboutValues(string text) => text.Contains("reading the", StringComparison.Ordinal);

    private void Start() => running = Task.Run(() => collector.RunAsync(stop.Token), Token);

    private Task UntilShownAsync(string name) =>
        time.AdvanceUntilAsync(Second, $"{name} is shown", () => measured.Collect().ContainsKey(name), Token);

    /// <summary>Lets the time pass in steps, so that the loop can run after each of them.</summary>
    private Task PassAsync(TimeSpan span)
    {
        var end = time.GetUtcNow() + span;
        return time.AdvanceUntilAsync(Second, "the time has passed", () => time.GetUtcNow() >= end, Token);
    }

    private sealed class CountedStore() : DelegatingFailureStore(new InMemoryFailureStore(10))
    {
        private int calls;

        public int Calls => Volatile.Read(ref calls);

        public Exception? Error { get; set; }

        public IReadOnlyList<FailureCounts> Counts { get; set; } = [];

        public override ValueTask<IReadOnlyList<FailureCounts>?> CountByStateAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref calls);
            return Error is null ? ValueTask.FromResult<IReadOnlyList<FailureCounts>?>(Counts) : throw Error;
        }
    }

    private sealed class CountedTransport : Transport
    {
        private int calls;

        public int Calls => Volatile.Read(ref calls);

        public bool Hangs { get; set; }

        public override TransportFeatures Features { get; } = new() { System = "counted", KnowsBacklog = true };

        public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public override ValueTask PublishAsync(
            ReadOnlyMemory<Envelope> batch,
            Memory<PublishOutcome> outcomes,
            CancellationToken deadline) => ValueTask.CompletedTask;

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("never subscribed");

        // A hanging backend does not even observe the deadline.
        public override async ValueTask<IReadOnlyList<SubscriptionBacklog>> ReadBacklogAsync(CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref calls);
            if (Hangs)
            {
                await new TaskCompletionSource().Task;
            }

            return [new SubscriptionBacklog("mail", 7, InFlight: null, 2)];
        }

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
