using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class PublishTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_WithOptions_ArrivesWithAll()
    {
        EventContext? got = null;
        var time = new FakeTimeProvider(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero));
        await using var running = await RunningBus.StartAsync(Handle(context => got = context), time);

        await running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions
            {
                Key = "k",
                EventId = "my-id",
                CorrelationId = "c",
                Headers = new Dictionary<string, string> { ["tenant"] = "a" }
            },
            Token);
        await running.WhenIdleAsync();

        Assert.NotNull(got);
        Assert.Equal(
            ("my-id", "order.placed", 1, "k", "c", null),
            (got.EventId, got.EventName, got.EventVersion, got.Key, got.CorrelationId, got.CausationId));
        Assert.Equal("a", got.Headers["tenant"]);
        Assert.Equal(time.GetUtcNow(), got.Time);
        Assert.Equal(("mail", 1), (got.Subscription, got.Attempt));
        Assert.Equal("""{"orderId":"1","total":1}""", System.Text.Encoding.UTF8.GetString(got.Body.Span));
    }

    [Fact]
    public async Task Publish_KeyedType_HasItsKeyUnlessTheOptionsOverrideIt()
    {
        var keys = new Seen();
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId);
            Handle(context => keys.Add(context.Key!))(bus);
        });

        await running.Bus.PublishAsync(new OrderPlaced("7"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("8"), new PublishOptions { Key = "own" }, Token);
        await running.WhenIdleAsync();

        Assert.Equal(["7", "own"], keys.Items);
    }

    public static IEnumerable<TheoryDataRow<PublishOptions, string>> BadOptions =>
    [
        new(new PublishOptions { EventId = "" }, "EventId"),
        new(new PublishOptions { EventId = new string('x', 129) }, "128"),
        new(new PublishOptions { CorrelationId = "a\nb" }, "CorrelationId"),
        new(new PublishOptions { Key = new string('k', 257) }, "257"),
        new(new PublishOptions { Key = "a\0" }, "control"),
        new(new PublishOptions { Timeout = TimeSpan.Zero }, "Timeout"),
        new(new PublishOptions { Headers = Header("bad name", "v") }, "'bad name'"),
        new(new PublishOptions { Headers = Header("CE-id", "v") }, "reserved"),
        new(new PublishOptions { Headers = Header("eventbus-x", "v") }, "reserved"),
        new(new PublishOptions { Headers = Header("cloudEvents_id", "v") }, "reserved"),
        new(new PublishOptions { Headers = Header("CC", "v") }, "reserved"),
        new(new PublishOptions { Headers = Header("name", "a\r\nb") }, "'name'"),
        new(new PublishOptions { Headers = Header("name", new string('v', 1_025)) }, "1,024"),
        new(new PublishOptions { Headers = Enumerable.Range(0, 65).ToDictionary(i => $"h{i}", _ => "v") }, "65 headers"),
        new(new PublishOptions { Headers = Enumerable.Range(0, 20).ToDictionary(i => $"h{i}", _ => new string('v', 1_000)) }, "in all"),
    ];

    [Theory]
    [MemberData(nameof(BadOptions), DisableDiscoveryEnumeration = true)]
    public async Task Publish_BadOption_IsRefusedAndNamed(PublishOptions options, string expected)
    {
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));

        var exception = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new OrderPlaced("1"), options, Token));

        Assert.Equal(PublishFailure.Rejected, exception.Failure);
        Assert.Contains(expected, exception.Message, StringComparison.Ordinal);
    }

    /// <summary>Headers are read once: those that were checked are sent.</summary>
    [Fact]
    public async Task Publish_HeadersThatChangeWhileTheyAreRead_AreSentAsTheyWereChecked()
    {
        IReadOnlyDictionary<string, string>? got = null;
        await using var running = await RunningBus.StartAsync(Handle(context => got = context.Headers));

        await running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions { Headers = new ShiftyHeaders(() => [new("tenant", "a")], () => [new("ce-id", "forged\r\n")]) },
            Token);
        await running.Bus.PublishAsync(new OrderPlaced("2"), new PublishOptions
        {
            Headers = new ShiftyHeaders(
            () => [new("tenant", "a")],
            () => throw new InvalidOperationException("Changed."))
        }, Token);
        await running.WhenIdleAsync();

        Assert.Equal("a", Assert.Single(got!).Value);
    }

    [Fact]
    public async Task Publish_HeadersThatNeverEndOrRepeat_AreRefused()
    {
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));
        ShiftyHeaders[] bad = [
            new(() => Enumerable.Range(0, int.MaxValue).Select(i => KeyValuePair.Create($"h{i}", "v"))),
            new(() => [new("a", "1"), new("a", "2")])
        ];

        foreach (var headers in bad)
        {
            var exception = await Assert.ThrowsAsync<PublishException>(
                () => running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { Headers = headers }, Token));
            Assert.Equal(PublishFailure.Rejected, exception.Failure);
        }
    }

    [Fact]
    public async Task PublishMany_CountOfTheListThrows_IsRefused()
    {
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));

        var exception =
            await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishManyAsync(new Uncountable(), cancellationToken: Token));

        Assert.Equal(PublishFailure.Rejected, exception.Failure);
    }

    [Fact]
    public async Task Publish_AList_PointsToPublishMany()
    {
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));

        var exception = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new List<OrderPlaced>(), Token));

        Assert.Contains("PublishManyAsync", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_AsABaseType_IsSentAsItsRuntimeType()
    {
        var names = new Seen();
        await using var running = await RunningBus.StartAsync(Handle(context => names.Add(context.EventName)));

        await running.Bus.PublishAsync<object>(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["order.placed"], names.Items);
    }

    [Fact]
    public async Task Publish_TooLarge_IsRefusedAndNamesTheFix()
    {
        await using var running = await RunningBus.StartAsync(Handle(_ => { }));

        var exception =
            await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new OrderPlaced(new string('x', 256 * 1024)), Token));

        Assert.Contains("262,144", exception.Message, StringComparison.Ordinal);
        Assert.Contains("Events carry ids, not whole objects", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_Large_WarnsOncePerType()
    {
        using var logs = new LogMemory();
        await using var running = await RunningBus.StartAsync(
            Handle(_ => { }),
            services: services => services.AddLogging(logging => logging.AddProvider(logs)));

        await running.Bus.PublishAsync(new OrderPlaced(new string('x', 65 * 1024)), Token);
        await running.Bus.PublishAsync(new OrderPlaced(new string('x', 66 * 1024)), Token);

        Assert.Single(logs.At(LogLevel.Warning), text => text.Contains("order.placed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Publish_NoSubscription_SucceedsAndWarnsOnce()
    {
        using var logs = new LogMemory();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(),
            services: services => services.AddLogging(logging => logging.AddProvider(logs)));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("2"), Token);

        Assert.Single(logs.At(LogLevel.Warning), text => text.Contains("No subscription matches order.placed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Publish_RequiredSubscriberMissing_Fails()
    {
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.UseInMemory();
            bus.Event<OrderPlaced>().RequireSubscriber();
        });

        var exception = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new OrderPlaced("1"), Token));

        Assert.Equal(PublishFailure.NoSubscriber, exception.Failure);
    }

    [Fact]
    public async Task Publish_CancelledToken_SendsNothing()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(Handle(_ => seen.Add("handled")));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => running.Bus.PublishAsync(new OrderPlaced("1"), new CancellationToken(true)));
        await running.WhenIdleAsync();

        Assert.Empty(seen.Items);
    }

    [Fact]
    public async Task Publish_NotBefore_WaitsForTheTime()
    {
        var seen = new Seen();
        var time = new FakeTimeProvider();
        await using var running = await RunningBus.StartAsync(Handle(_ => seen.Add("handled")), time);

        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { NotBefore = time.GetUtcNow().AddMinutes(10) }, Token);
        await running.PassAsync(time, TimeSpan.FromMinutes(9));
        Assert.Empty(seen.Items);
        await running.PassAsync(time, TimeSpan.FromMinutes(1));

        Assert.Equal(["handled"], seen.Items);
    }

    [Fact]
    public async Task PublishMany_OneIsRefused_ReportsItAndHoldsBackItsKey()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId[..1]);
            Handle(context => seen.Add(((OrderPlaced)context.Event!).OrderId[..2]))(bus);
        });

        var exception = await Assert.ThrowsAsync<PublishManyException>(() => running.Bus.PublishManyAsync<OrderPlaced>(
            [new("a1"), new("b1" + new string('x', 300_000)), new("a2"), new("b2"), new("c1")], cancellationToken: Token));
        await running.WhenIdleAsync();

        Assert.Equal(["a1", "a2", "c1"], seen.Items.Order());
        Assert.Equal([true, false, true, false, true], exception.Items.Select(item => item is null));
        Assert.Equal((PublishFailure.Rejected, PublishFailure.Failed), (exception.Items[1]!.Failure, exception.Items[3]!.Failure));
    }

    [Fact]
    public async Task PublishMany_NoCapacityInTime_EndsAfterOneTimeoutAndReportsEach()
    {
        var hold = new TaskCompletionSource();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(o => o.Capacity = 1).Subscribe("slow", s => s.Concurrency(1).On<OrderPlaced>((_, _, _) => hold.Task)));

        var exception = await Assert.ThrowsAsync<PublishManyException>(() => running.Bus.PublishManyAsync(
            [.. Enumerable.Range(0, 2_000).Select(i => new OrderPlaced("x"))],
            new PublishOptions { Timeout = TimeSpan.FromMilliseconds(50) },
            Token).WaitAsync(RunningBus.Patience, Token));
        hold.SetResult();

        Assert.Equal(2_000, exception.Items.Count);
        Assert.InRange(exception.Items.Count(item => item is null), 1, 2);
        Assert.All(exception.Items.Where(item => item is not null), item => Assert.Equal(PublishFailure.Failed, item!.Failure));
    }

    [Fact]
    public async Task PublishMany_Thousands_AllArriveInOrder()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory(o => o.Capacity = 10).Subscribe(
            "ordered", s => s.On<OrderPlaced>((e, _, _) => Add(seen, e)).Ordered()));

        await running.Bus.PublishManyAsync(
            [.. Enumerable.Range(0, 3_000).Select(i => new OrderPlaced(i.ToString("D4", null)))],
            new PublishOptions { Key = "one" },
            Token);
        await running.WhenIdleAsync();

        Assert.Equal(Enumerable.Range(0, 3_000).Select(i => i.ToString("D4", null)), seen.Items);
    }

    [Fact]
    public async Task Publish_FromASynchronizationContext_RunsOutsideIt()
    {
        var context = new CountingContext();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory(o => o.Capacity = 1)
            .Subscribe("slow", s => s.On<OrderPlaced>((_, _, _) => Task.CompletedTask).Concurrency(1)));
        Task publishing;
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(context);
        try
        {
            publishing = running.Bus.PublishManyAsync(
                [.. Enumerable.Range(0, 500).Select(i => new OrderPlaced("x"))],
                cancellationToken: CancellationToken.None);
            Assert.Same(context, SynchronizationContext.Current);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }

        await publishing;
        Assert.Equal(0, context.Posts);
    }

    private static Task Add(Seen seen, OrderPlaced e)
    {
        seen.Add(e.OrderId);
        return Task.CompletedTask;
    }

    private static Dictionary<string, string> Header(string name, string value) => new() { [name] = value };

    private static Action<EventBusBuilder> Handle(Action<EventContext> handle) =>
        bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, context, _) =>
        {
            handle(context);
            return Task.CompletedTask;
        });

    private sealed class Uncountable : IReadOnlyList<OrderPlaced>
    {
        public int Count => throw new InvalidOperationException("Disposed.");

        public OrderPlaced this[int index] => new("1");

        public IEnumerator<OrderPlaced> GetEnumerator() => throw new InvalidOperationException("Disposed.");

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>Headers that say one thing when they are read for the first time, and another later.</summary>
    private sealed class ShiftyHeaders(
        Func<IEnumerable<KeyValuePair<string, string>>> first,
        Func<IEnumerable<KeyValuePair<string, string>>>? then = null) : IReadOnlyDictionary<string, string>
    {
        private int reads;

        public int Count => 1;

        public IEnumerable<string> Keys => [];

        public IEnumerable<string> Values => [];

        public string this[string key] => key;

        public bool ContainsKey(string key) => true;

        public bool TryGetValue(string key, out string value)
        {
            value = key;
            return true;
        }

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator() =>
            (reads++ == 0 || then is null ? first() : then()).GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private sealed class CountingContext : SynchronizationContext
    {
        public int Posts { get; private set; }

        public override void Post(SendOrPostCallback d, object? state)
        {
            Posts++;
            base.Post(d, state);
        }
    }
}
