using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that with <see cref="InMemoryOptions.RoundTrip"/> handlers receive in memory what they would on a broker.
/// </summary>
public sealed class RoundTripTests
{
    private readonly ConcurrentQueue<(string Subscription, object? Event)> seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_WithRoundTrip_GivesEachSubscriptionACopyOfItsOwn()
    {
        await using var running = await StartAsync(bus => bus.Subscribe<BasketFilled>("a", See).Subscribe<BasketFilled>("b", See));
        var published = new BasketFilled { Items = ["pen"] };

        await running.Bus.PublishAsync(published, Token);
        await running.WhenIdleAsync();

        BasketFilled[] received = [.. seen.Select(each => (BasketFilled)each.Event!)];
        Assert.Equal(2, received.Length);
        Assert.DoesNotContain(received, each => ReferenceEquals(each, published));
        Assert.NotSame(received[0], received[1]);
        Assert.All(received, each => Assert.Equal(["pen"], each.Items));
    }

    [Fact]
    public async Task Publish_WithoutRoundTrip_PassesTheObjectOn()
    {
        await using var running =
            await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<BasketFilled>("a", See).Subscribe<BasketFilled>("b", See));
        var published = new BasketFilled();

        await running.Bus.PublishAsync(published, Token);
        await running.WhenIdleAsync();

        Assert.All(seen, each => Assert.Same(published, each.Event));
    }

    [Fact]
    public async Task Publish_EveryWay_IsReadFromTheBytes()
    {
        var time = new FakeTimeProvider();
        await using var running = await StartAsync(
            bus => bus
                .Subscribe<OrderPlaced>(
                    "follow",
                    (order, context, ct) => context.PublishAsync(new BasketFilled { Items = [order.OrderId] }, ct))
                .Subscribe<BasketFilled>("a", See)
                .SubscribePattern("all", "basket.*", (context, _) =>
                {
                    seen.Enqueue(("all", context.Event));
                    return Task.CompletedTask;
                }),
            time);
        BasketFilled[] published = [new() { Items = ["one"] }, new() { Items = ["many"] }, new() { Items = ["late"] }];

        await running.Bus.PublishAsync(new OrderPlaced("context"), Token);
        await running.Bus.PublishAsync(published[0], Token);
        await running.Bus.PublishManyAsync<BasketFilled>([published[1]], cancellationToken: Token);
        await running.Bus.PublishAsync(published[2], new PublishOptions { Delay = TimeSpan.FromMinutes(1) }, Token);
        await running.PassAsync(time, TimeSpan.FromMinutes(1));

        foreach (var subscription in (string[])["a", "all"])
        {
            var received = seen.Where(each => each.Subscription == subscription).Select(each => (BasketFilled)each.Event!).ToList();
            Assert.Equal(["context", "late", "many", "one"], received.SelectMany(each => each.Items).Order(StringComparer.Ordinal));
            Assert.DoesNotContain(received, published.Contains);
        }

        Assert.Equal(8, seen.Select(each => each.Event).Distinct(ReferenceEqualityComparer.Instance).Count());
    }

    [Fact]
    public async Task Attributes_OfACopy_AreThoseOfTheEvent()
    {
        EventContext? received = null;
        var time = new FakeTimeProvider();
        await using var running = await StartAsync(
            bus => bus.Configure(options => options.ServiceName = "shop").Subscribe<InvoiceIssued>("mail", (_, context, _) =>
            {
                received = context;
                return Task.CompletedTask;
            }),
            time);

        await running.Bus.PublishAsync(
            new InvoiceIssued("1", "EUR"),
            new PublishOptions
            {
                EventId = "id-1",
                Key = "k",
                CorrelationId = "c",
                Headers = new Dictionary<string, string> { ["h"] = "v" }
            },
            Token);
        await running.WhenIdleAsync();

        Assert.NotNull(received);
        Assert.Equal(("id-1", "k", "c", "shop"), (received.EventId, received.Key, received.CorrelationId, received.Source));
        Assert.Equal("v", received.Headers["h"]);
        Assert.Equal(time.GetUtcNow(), received.Time);
        Assert.Equal(2, received.EventVersion);
        Assert.Contains("EUR", Encoding.UTF8.GetString(received.Body.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Event_ThatCannotBeRead_IsADeadLetter()
    {
        await using var running = await StartAsync(bus => bus.Subscribe<AgeEntered>("a", See));

        await running.Bus.PublishAsync(new AgeEntered(), Token);
        await running.WhenIdleAsync();

        var dead = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal(DeadLetterReason.Unreadable, dead.Reason);
        Assert.Empty(seen);
    }

    [Fact]
    public async Task Event_ThatCannotBeWritten_IsRejected()
    {
        await using var running = await StartAsync(bus => bus.Publishes<RatioMeasured>());

        var error = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new RatioMeasured(double.NaN), Token));

        Assert.Equal(PublishFailure.Rejected, error.Failure);
    }

    [Fact]
    public async Task Retry_OfAnEventThatItsHandlerChanged_ReadsItAgain()
    {
        var time = new FakeTimeProvider();
        var counts = new ConcurrentQueue<int>();
        await using var running = await StartAsync(
            bus => bus.Subscribe<BasketFilled>("a", (basket, context, _) =>
            {
                basket.Items.Add("by the handler");
                counts.Enqueue(basket.Items.Count);
                return context.Attempt == 1 ? throw new InvalidOperationException("once") : Task.CompletedTask;
            }),
            time);

        await running.Bus.PublishAsync(new BasketFilled(), Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromMinutes(1));

        Assert.Equal([1, 1], counts);
    }

    [Fact]
    public async Task Publish_WithRoundTripAndAFullQueue_FailsAtOnceAsWithoutIt()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        // The time stands still, so that a publish that is repeated would never end.
        await using var running = await RunningBus.StartAsync(
            bus => bus
                .UseInMemory(memory =>
                {
                    memory.RoundTrip = true;
                    memory.Capacity = 1;
                    memory.QueueFullMode = QueueFullMode.Fail;
                })
                .Subscribe("slow", s => s.On<OrderPlaced>((_, _, ct) => release.Task.WaitAsync(ct)).Concurrency(1)),
            new FakeTimeProvider());
        try
        {
            var error = await Assert.ThrowsAsync<PublishException>(async () =>
            {
                for (var i = 0; i < 100; i++)
                {
                    await running.Bus.PublishAsync(new OrderPlaced($"{i}"), Token);
                }
            }).WaitAsync(RunningBus.Patience, Token);

            Assert.Equal(PublishFailure.Failed, error.Failure);
        }
        finally
        {
            release.SetResult();
        }
    }

    private static Task<RunningBus> StartAsync(Action<EventBusBuilder> configure, TimeProvider? time = null) => RunningBus.StartAsync(
        bus => configure(bus.UseInMemory(memory => memory.RoundTrip = true)),
        time);

    private Task See<TEvent>(TEvent @event, EventContext context, CancellationToken cancellationToken)
    {
        seen.Enqueue((context.Subscription, @event));
        return Task.CompletedTask;
    }

    private sealed record BasketFilled
    {
        public List<string> Items { get; init; } = [];
    }

    private sealed record RatioMeasured(double Ratio);

    private sealed record AgeEntered
    {
        [JsonInclude]
        public int Age
        {
            get => 1;
            init => throw new ArgumentOutOfRangeException(nameof(value));
        }
    }
}
