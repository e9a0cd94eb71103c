using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus;

public sealed class ForwardTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Forward_BetweenBusesInMemory_ReachesTheHandlersWithTheSameId()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Configure(Named).Forward("order.*", to: "analytics"),
            services: Analytics(seen));

        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "e1", Key = "k" }, Cancelled);
        await Until.TrueAsync("the event is forwarded", () => seen.Items.Count == 1, Cancelled);

        Assert.Equal(["1 e1 k shop"], seen.Items);
    }

    [Fact]
    public async Task Forward_NotAccepted_IsRetriedInTheOrderOfTheKey()
    {
        var (target, refused) = (new ForwardTarget(), 2);
        target.Answer = envelope => envelope.Id == "a" && refused-- > 0
            ? PublishOutcome.InDoubt(new TimeoutException("no answer"))
            : PublishOutcome.Accepted;
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Configure(Named).Retry(TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(20))
                .Forward("order.*", to: "analytics"),
            services: target.Add);
        foreach (var id in (string[])["a", "b", "c"])
        {
            await running.Bus.PublishAsync(new OrderPlaced(id), new PublishOptions { EventId = id, Key = "k" }, Cancelled);
        }

        var accepted = await target.WhenAcceptedAsync(3);

        Assert.Equal(["a", "b", "c"], accepted.Select(envelope => envelope.Id));
    }

    [Fact]
    public async Task Forward_NeverAccepted_BecomesADeadLetter()
    {
        var target = new ForwardTarget();
        target.Answer = _ => PublishOutcome.InDoubt(new TimeoutException("no answer"));
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Retry(TimeSpan.FromMilliseconds(5)).Forward("order.*", to: "analytics"),
            services: target.Add);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Cancelled);

        var letter = await running.WhenDeadLetterAsync();

        Assert.Equal(("forward-analytics", DeadLetterReason.HandlerFailed, 2), (letter.Subscription, letter.Reason, letter.Attempts));
    }

    [Fact]
    public async Task Forward_Rejected_IsADeadLetterAtOnceAndTheKeyContinues()
    {
        var target = new ForwardTarget();
        target.Answer = envelope => envelope.Id == "a"
            ? PublishOutcome.Rejected(new InvalidOperationException("the key is invalid here"))
            : PublishOutcome.Accepted;
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Forward("order.*", to: "analytics", name: "copies"),
            services: target.Add);
        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "a", Key = "k" }, Cancelled);
        await running.Bus.PublishAsync(new OrderPlaced("2"), new PublishOptions { EventId = "b", Key = "k" }, Cancelled);

        var letter = await running.WhenDeadLetterAsync();
        await target.WhenAcceptedAsync();

        Assert.Equal(("copies", DeadLetterReason.PermanentFailure, 1), (letter.Subscription, letter.Reason, letter.Attempts));
        Assert.Contains("the key is invalid here", letter.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Forward_LargerThanTheOtherBusAllows_IsADeadLetter()
    {
        var target = new ForwardTarget();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Forward("order.*", to: "analytics"),
            services: services =>
            {
                target.Add(services);
                services.AddKeyedEventBus("analytics", bus => bus.Configure(options => options.MaxBodyBytes = 2_000));
            });
        await running.Bus.PublishAsync(new OrderPlaced(new string('x', 2_000)), Cancelled);

        var letter = await running.WhenDeadLetterAsync();

        Assert.Equal(DeadLetterReason.PermanentFailure, letter.Reason);
        Assert.Contains("at most 2,000", letter.Error, StringComparison.Ordinal);
        Assert.Empty(target.Accepted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Stop_OfBothBuses_ForwardsWhatWasPublished(bool targetIsAddedFirst)
    {
        var seen = new Seen();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        if (targetIsAddedFirst)
        {
            Analytics(seen)(builder.Services);
        }

        builder.Services.AddEventBus(bus => bus.UseInMemory().Forward("order.*", to: "analytics", configure: s => s.Concurrency(1)));
        if (!targetIsAddedFirst)
        {
            Analytics(seen)(builder.Services);
        }

        using var host = builder.Build();
        await host.StartAsync(Cancelled);
        for (var i = 0; i < 200; i++)
        {
            await host.Services.GetRequiredService<IEventBus>().PublishAsync(new OrderPlaced($"{i}"), Cancelled);
        }

        await host.StopAsync(Cancelled);

        Assert.Equal(200, seen.Items.Count);
    }

    private static Action<IServiceCollection> Analytics(Seen seen) =>
        services => services.AddKeyedEventBus("analytics", bus => bus.UseInMemory().Subscribe<OrderPlaced>("count", (order, context, _) =>
        {
            seen.Add($"{order.OrderId} {context.EventId} {context.Key} {context.Source}");
            return Task.CompletedTask;
        }));

    private static void Named(EventBusOptions options) => options.ServiceName = "shop";
}
