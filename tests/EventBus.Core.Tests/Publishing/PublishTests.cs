using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed partial class PublishTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

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
