using System.Text.Json.Serialization;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

public sealed class StartUpErrorTests
{
    [Fact]
    public async Task Retire_OnABackendWithNothingToRetire_IsAnError()
    {
        await using var running =
            await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask));

        var inUse = await Assert.ThrowsAsync<ArgumentException>(() => running.Services.GetRequiredService<ISubscriptionManager>()
            .RetireAsync("mail", cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("still registered", inUse.Message, StringComparison.Ordinal);
        var kept = await Assert.ThrowsAsync<EventBusException>(() => running.Services.GetRequiredService<ISubscriptionManager>()
            .RetireAsync("gone", cancellationToken: TestContext.Current.CancellationToken));
        Assert.Contains("in_memory", kept.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_NoBackend_NamesTheCall() =>
        Assert.Contains("bus.UseInMemory()", await ProblemAsync(_ => { }), StringComparison.Ordinal);

    [Fact]
    public async Task Start_TwoBackends_NamesBoth()
    {
        var problem = await ProblemAsync(
            bus => bus.UseInMemory().UseTransport("UseOther()", _ => throw new InvalidOperationException("must not be made")));

        Assert.Contains("bus.UseInMemory(), bus.UseOther()", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_NamelessEvent_AsksForTheAttribute() =>
        Assert.Contains("[EventName", await ProblemAsync(bus => bus.UseInMemory().Publishes<Nameless>()), StringComparison.Ordinal);

    [Fact]
    public async Task Start_MalformedEventName_NamesThePosition() =>
        Assert.Contains("'Order'", await ProblemAsync(bus => bus.UseInMemory().Publishes<Malformed>()), StringComparison.Ordinal);

    [Fact]
    public async Task Start_VersionZero_IsAnErrorThatVersionsStartAtOne() =>
        Assert.Contains("count from 1", await ProblemAsync(bus => bus.UseInMemory().Publishes<VersionZero>()), StringComparison.Ordinal);

    [Fact]
    public async Task Start_SameNameTwice_NamesBothTypes()
    {
        var problem = await ProblemAsync(bus => bus.UseInMemory().Publishes<OrderPlaced>().Publishes<AlsoOrderPlaced>());

        Assert.Contains(nameof(AlsoOrderPlaced), problem, StringComparison.Ordinal);
        Assert.Contains("'order.placed' in version 1", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_DuplicateSubscription_NamesIt() =>
        Assert.Contains(
            "'mail'",
            await ProblemAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", Nothing).Subscribe<OrderShipped>("mail", Nothing)),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("Mail")]
    [InlineData("")]
    [InlineData("a/b")]
    public async Task Start_BadSubscriptionName_NamesTheAllowedCharacters(string name) =>
        Assert.Contains(
            "lower-case letters",
            await ProblemAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>(name, Nothing)),
            StringComparison.Ordinal);

    [Fact]
    public async Task Start_BadWildcard_ExplainsTheGrammar() =>
        Assert.Contains(
            "* for one word",
            await ProblemAsync(bus => bus.UseInMemory().SubscribePattern("audit", "order.**", (_, _) => Task.CompletedTask)),
            StringComparison.Ordinal);

    [Fact]
    public async Task Start_EmptySubscription_AsksForAHandler() =>
        Assert.Contains(
            ".On<TEvent, THandler>()",
            await ProblemAsync(bus => bus.UseInMemory().Subscribe("empty", _ => { })),
            StringComparison.Ordinal);

    [Fact]
    public async Task Start_TwoHandlersForOneTypeInOneSubscription_AsksForTwo() =>
        Assert.Contains(
            "several handlers",
            await ProblemAsync(bus => bus.UseInMemory().Subscribe("twice", s => s.On<OrderPlaced>(Nothing).On<OrderPlaced>(Nothing))),
            StringComparison.Ordinal);

    [Fact]
    public async Task Start_TypeUnknownToTheJsonContext_NamesTheAttribute() =>
        Assert.Contains(
            "[JsonSerializable(typeof(OrderShipped))]",
            await ProblemAsync(bus => bus.UseInMemory().UseJson(OnlyPlaced.Default).Publishes<OrderPlaced>().Publishes<OrderShipped>()),
            StringComparison.Ordinal);

    [Fact]
    public async Task Start_NoStoreForFailures_NamesTheCall() =>
        Assert.Contains(
            "bus.StoreInMemory()",
            await ProblemAsync(bus => bus.UseTransport("UseBare()", _ => new BareTransport()).Subscribe<OrderPlaced>("mail", Nothing)),
            StringComparison.Ordinal);

    [Fact]
    public async Task Start_UpcastToALowerVersion_IsAnError() =>
        Assert.Contains(
            "higher version",
            await ProblemAsync(bus => bus.UseInMemory().Upcast<InvoiceIssued, InvoiceIssuedOld>(_ => new InvoiceIssuedOld(""))),
            StringComparison.Ordinal);

    [Fact]
    public async Task Start_InvalidOptions_AreNamedWithTheirRange()
    {
        var problem = await ProblemAsync(
            bus => bus.UseInMemory(o => o.Capacity = 0).Subscribe("s", s => s.On<OrderPlaced>(Nothing).Concurrency(0)).Configure(o =>
            {
                o.PublishTimeout = TimeSpan.Zero;
                o.Retry.Jitter = double.NaN;
                o.Subscriptions["unknown"] = new SubscriptionOptions();
            }));

        Assert.Contains("PublishTimeout is 00:00:00; 00:00:00.01 to 01:00:00", problem, StringComparison.Ordinal);
        Assert.Contains("EventBusOptions.Retry.Jitter is NaN", problem, StringComparison.Ordinal);
        Assert.Contains("InMemoryOptions.Capacity is 0", problem, StringComparison.Ordinal);
        Assert.Contains("Subscription 's'.Concurrency is 0", problem, StringComparison.Ordinal);
        Assert.Contains("'unknown', which is not registered", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_SeveralErrors_AreReportedTogether()
    {
        using var host = RunningBus.Build(bus => bus.Publishes<Nameless>().SubscribePattern("Audit", "**", (_, _) => Task.CompletedTask));

        var exception =
            await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Equal(4, exception.Problems.Count);
        Assert.Contains("for 4 reasons", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_BeforeTheStart_NamesTheCallThatStarts()
    {
        using var host = RunningBus.Build(bus => bus.UseInMemory());
        var bus = host.Services.GetRequiredService<IEventBus>();

        var exception =
            await Assert.ThrowsAsync<PublishException>(() => bus.PublishAsync(new OrderPlaced("1"), TestContext.Current.CancellationToken));

        Assert.Contains("host.StartAsync()", exception.Message, StringComparison.Ordinal);
        Assert.Equal(PublishFailure.Rejected, exception.Failure);
    }

    private static Task Nothing<TEvent>(TEvent @event, EventContext context, CancellationToken cancellationToken) => Task.CompletedTask;

    private static async Task<string> ProblemAsync(Action<EventBusBuilder> configure)
    {
        using var host = RunningBus.Build(configure);
        return (await Assert.ThrowsAsync<EventBusConfigurationException>(
            () => host.StartAsync(TestContext.Current.CancellationToken))).Message;
    }

    private sealed record Nameless;

    [EventName("Order.placed")]
    private sealed record Malformed;

    [EventName("zero.made", Version = 0)]
    private sealed record VersionZero;

    [EventName("order.placed")]
    private sealed record AlsoOrderPlaced;

    private sealed class BareTransport : Transport
    {
        public override TransportFeatures Features { get; } = new() { System = "bare" };

        public override ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public override ValueTask PublishAsync(
            ReadOnlyMemory<Envelope> batch,
            Memory<PublishOutcome> outcomes,
            CancellationToken deadline) => ValueTask.CompletedTask;

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            throw new InvalidOperationException("never subscribed");

        public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
