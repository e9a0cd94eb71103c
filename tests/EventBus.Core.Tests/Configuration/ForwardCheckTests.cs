using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed class ForwardCheckTests
{
    [Fact]
    public async Task Start_ForwardToAnUnknownBus_NamesTheOthers()
    {
        var problem = await ProblemAsync(bus => bus.UseInMemory().Forward("order.*", to: "analytic"), Analytics());

        Assert.Contains("'forward-analytic' forwards events to the bus 'analytic'", problem, StringComparison.Ordinal);
        Assert.Contains("other buses are: analytics", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ForwardToADefaultBusThatIsMissing_NamesTheCall()
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddKeyedEventBus("only", bus => bus.UseInMemory().Forward("order.*", to: null));
        using var host = builder.Build();

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(
            () => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains("AddEventBus(...)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ForwardToItself_IsAnError() => Assert.Contains(
        "its own bus",
        await ProblemAsync(bus => bus.UseInMemory().Forward("order.*", to: null)),
        StringComparison.Ordinal);

    [Fact]
    public async Task Start_TwoBusesThatForwardToEachOther_NamesBoth()
    {
        var problem = await ProblemAsync(
            bus => bus.UseInMemory().Forward("order.*", to: "analytics"),
            Analytics(bus => bus.Forward("*.placed", to: null)));

        Assert.Contains("he bus 'analytics'", problem, StringComparison.Ordinal);
        Assert.Contains("he default bus", problem, StringComparison.Ordinal);
        Assert.Contains("'forward-analytics' (pattern 'order.*')", problem, StringComparison.Ordinal);
        Assert.Contains("'forward-default' (pattern '*.placed')", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ThreeBusesInACircle_IsAnError()
    {
        var problem = await ProblemAsync(
            bus => bus.UseInMemory().Forward("order.*", to: "analytics"),
            services =>
            {
                Analytics(bus => bus.Forward("order.#", to: "third"))(services);
                services.AddKeyedEventBus("third", bus => bus.UseInMemory().Forward("#", to: null));
            });

        Assert.Contains("go round without end", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_BothDirectionsWithoutACommonEvent_IsNoError()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<ReceiptSent>("mail", Nothing).Forward("order.*", to: "analytics"),
            services: Analytics(bus => bus.Forward("receipt.*", to: null)));

        Assert.NotNull(running.Bus);
    }

    [Fact]
    public async Task Start_TargetInMemoryWithoutASubscription_IsAnError()
    {
        var problem = await ProblemAsync(
            bus => bus.UseInMemory().Forward("receipt.*", to: "analytics"),
            Analytics());

        Assert.Contains("forwards 'receipt.*' to the bus 'analytics', whose events stay in memory", problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_TargetInMemoryThatOnlyPublishes_IsAnError() => Assert.Contains(
        "no subscription here matches them",
        await ProblemAsync(
            bus => bus.UseInMemory().Forward("order.*", to: "analytics"),
            Analytics(bus => bus.Configure(options => options.Consume = false))),
        StringComparison.Ordinal);

    [Fact]
    public async Task Start_TwoForwardsToOneBus_AsksForAName() => Assert.Contains(
        "Two subscriptions are named 'forward-analytics'",
        await ProblemAsync(
            bus => bus.UseInMemory().Forward("order.placed", to: "analytics").Forward("order.*", to: "analytics"),
            Analytics()),
        StringComparison.Ordinal);

    [Fact]
    public async Task Start_SeveralMistakesOfForwards_AreReportedTogether()
    {
        var problem = await ProblemAsync(bus => bus.UseInMemory().Forward("order.**", to: null).Forward("order.*", to: "nowhere"));

        Assert.Contains("its own bus", problem, StringComparison.Ordinal);
        Assert.Contains("'nowhere'", problem, StringComparison.Ordinal);
        Assert.Contains("* for one word", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, "because scripted keeps none")]
    [InlineData(true, null)]
    public async Task Start_SourceWithoutOrder_WarnsThatNoneIsKept(bool ordered, string? warning)
    {
        using var log = new LogMemory();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseTransport("UseScripted()", _ => new Unordered(ordered)).StoreInMemory().Forward("order.*", to: "analytics"),
            services: services =>
            {
                Analytics()(services);
                services.AddLogging(logging => logging.AddProvider(log));
            });

        var warnings = log.At(LogLevel.Warning).Where(text => text.StartsWith("forward-analytics", StringComparison.Ordinal)).ToList();

        Assert.Equal(warning is null ? 0 : 1, warnings.Count);
        Assert.All(warnings, text => Assert.Contains(warning!, text, StringComparison.Ordinal));
    }

    private static Action<IServiceCollection> Analytics(Action<EventBusBuilder>? configure = null) =>
        services => services.AddKeyedEventBus("analytics", bus =>
        {
            bus.UseInMemory().Subscribe<OrderPlaced>("count", Nothing);
            configure?.Invoke(bus);
        });

    private static Task Nothing<TEvent>(TEvent @event, EventContext context, CancellationToken cancellationToken) => Task.CompletedTask;

    private static async Task<string> ProblemAsync(Action<EventBusBuilder> configure, Action<IServiceCollection>? services = null)
    {
        using var host = RunningBus.Build(configure, services: services);
        return (await Assert.ThrowsAsync<EventBusConfigurationException>(
            () => host.StartAsync(TestContext.Current.CancellationToken))).Message;
    }

    private sealed class Unordered(bool ordered) : ScriptedTransport
    {
        public override TransportFeatures Features { get; } =
            new() { System = "scripted", Durable = true, Redelivers = true, Ordered = ordered };

        public override ValueTask PublishAsync(
            ReadOnlyMemory<Envelope> batch,
            Memory<PublishOutcome> outcomes,
            CancellationToken deadline) => ValueTask.CompletedTask;

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            ValueTask.FromResult<Receiver>(new ScriptedReceiver(_ => { }));
    }
}
