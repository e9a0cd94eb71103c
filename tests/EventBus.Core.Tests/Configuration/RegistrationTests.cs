using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace EventBus;

public sealed class RegistrationTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task AddEventBus_CalledTwice_CombinesBothConfigurations()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderPlaced>("first", Note(seen, "first")),
            services: services => services.AddEventBus(bus => bus.Subscribe<OrderPlaced>("second", Note(seen, "second"))));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["first", "second"], seen.Items.Order());
    }

    [Fact]
    public async Task AddKeyedEventBus_NextToTheDefault_IsSeparate()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", Note(seen, "default")),
            services: services => services.AddKeyedEventBus(
                "billing",
                bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", Note(seen, "billing"))));
        var billing = running.Services.GetRequiredKeyedService<IEventBus>("billing");

        await billing.PublishAsync(new OrderPlaced("1"), Token);
        await billing.WhenIdleAsync(RunningBus.Patience, Token);

        Assert.Equal(["billing"], seen.Items);
        Assert.NotNull(running.Services.GetRequiredKeyedService<IDeadLetters>("billing"));
    }

    [Fact]
    public async Task AddKeyedEventBus_NextToTheDefault_HasItsOwnHealthCheckOptionsAndLogger()
    {
        var logs = new LogMemory();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory(),
            services: services => services
                .AddLogging(logging => logging.AddProvider(logs))
                .AddKeyedEventBus("billing", bus => bus.UseInMemory().Configure(options => options.MaxBodyBytes = 1_000))
                .AddKeyedEventBus("bill\ning", bus => bus.UseInMemory())
                .AddHealthChecks());

        var report = await running.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
        Assert.Equal(["eventbus", "eventbus-bill\ning", "eventbus-billing"], report.Entries.Keys.Order(StringComparer.Ordinal));
        Assert.All(report.Entries.Values, entry => Assert.Equal(HealthStatus.Healthy, entry.Status));
        var options = running.Services.GetRequiredService<IOptionsMonitor<EventBusOptions>>();
        Assert.Equal((1_000, 256 * 1024), (options.Get("billing").MaxBodyBytes, options.CurrentValue.MaxBodyBytes));
        Assert.Contains(logs.At(LogLevel.Information), text => text.Contains("+billing started", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AddKeyedEventBus_TwoCompleteOnesUnderOneKey_IsAStartUpErrorThatNamesIt()
    {
        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => RunningBus.StartAsync(
            bus => bus.UseInMemory(),
            services: services => services.AddKeyedEventBus("billing", bus => bus.UseInMemory())
                .AddKeyedEventBus("billing", bus => bus.UseInMemory())));

        Assert.Contains("another bus under a key other than 'billing'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AddKeyedEventBus_KeysThatDifferOnlyInCase_IsAStartUpErrorThatNamesBoth()
    {
        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => RunningBus.StartAsync(
            bus => bus.UseInMemory(),
            services: services => services.AddKeyedEventBus("billing", bus => bus.UseInMemory())
                .AddKeyedEventBus("Billing", bus => bus.UseInMemory())));

        Assert.Contains("'billing'", error.Message, StringComparison.Ordinal);
        Assert.Contains("'Billing'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Subscribe_HandlerNotRegistered_IsScopedToTheEvent()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderPlaced, CountsItsUses>(),
            services: services => services.AddSingleton(seen));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("2"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["use 1", "disposed", "use 1", "disposed"], seen.Items);
    }

    [Fact]
    public async Task Subscribe_HandlerRegisteredAsSingleton_RemainsASingleton()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderPlaced, CountsItsUses>(),
            services: services => services.AddSingleton(seen).AddSingleton<CountsItsUses>());

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("2"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["use 1", "use 2"], seen.Items);
    }

    [Fact]
    public async Task Subscribe_NoName_IsHandlerDotEventInKebabCase()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Use((context, next, token) =>
        {
            seen.Add(context.Subscription);
            return next(context, token);
        }).Subscribe<OrderPlaced, CountsItsUses>(), services: services => services.AddSingleton(seen));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal("counts-its-uses.order-placed", seen.Items[0]);
    }

    [Fact]
    public async Task Use_SeveralMiddleware_RunInOrderAroundTheHandler()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Use(async (context, next, token) =>
            {
                seen.Add("outer in");
                await next(context, token);
                seen.Add("outer out");
            })
            .Use<Inner>()
            .Subscribe<OrderPlaced>("mail", Note(seen, "handler")), services: services => services.AddSingleton(seen));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["outer in", "inner", "handler", "outer out"], seen.Items);
    }

    [Fact]
    public void Configure_Section_BindsEverySetting()
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["EventBus:ServiceName"] = "shop",
            ["EventBus:PublishTimeout"] = "00:00:03",
            ["EventBus:Concurrency"] = "4",
            ["EventBus:Consume"] = "false",
            ["EventBus:Retry:MaxRetryAttempts"] = "5",
            ["EventBus:Retry:Delay"] = "00:00:01",
            ["EventBus:Subscriptions:send-receipt.order-placed:Concurrency"] = "2",
        }).Build();
        using var host = RunningBus.Build(bus => bus.UseInMemory().Configure(configuration.GetSection("EventBus")));

        var options = host.Services.GetRequiredService<IOptions<EventBusOptions>>().Value;

        Assert.Equal(
            ("shop", TimeSpan.FromSeconds(3), 4, false),
            (options.ServiceName, options.PublishTimeout, options.Concurrency, options.Consume));
        Assert.Equal((5, TimeSpan.FromSeconds(1)), (options.Retry.MaxRetryAttempts, options.Retry.Delay));
        Assert.Equal(2, options.Subscriptions["send-receipt.order-placed"].Concurrency);
    }

    [Fact]
    public async Task Consume_Off_PublishesOnly()
    {
        var seen = new Seen();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Configure(o => o.Consume = false).Subscribe<OrderPlaced>("mail", Note(seen, "handled")));

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        Assert.Empty(seen.Items);
    }

    [Fact]
    public async Task HealthCheck_FromStartToStop_FollowsTheBus()
    {
        using var host = RunningBus.Build(bus => bus.UseInMemory(), services: services => services.AddLogging().AddHealthChecks());
        var health = host.Services.GetRequiredService<HealthCheckService>();

        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync(Token)).Entries["eventbus"].Status);
        await host.StartAsync(Token);
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(Token)).Entries["eventbus"].Status);
        await host.StopAsync(Token);
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync(Token)).Entries["eventbus"].Status);
    }

    [Fact]
    public async Task HostedServices_AroundTheBus_CanPublishFromStartToStop()
    {
        var seen = new Seen();
        var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (e, _, _) =>
            {
                seen.Add(e.OrderId);
                return Task.CompletedTask;
            }),
            services: services => services.AddHostedService<PublishesAtBothEnds>());
        await running.DisposeAsync();

        Assert.Equal(["start", "stop"], seen.Items);
    }

    private static Func<OrderPlaced, EventContext, CancellationToken, Task> Note(Seen seen, string text) => (_, _, _) =>
    {
        seen.Add(text);
        return Task.CompletedTask;
    };

    private sealed class CountsItsUses(Seen seen) : IEventHandler<OrderPlaced>, IDisposable
    {
        private int uses;

        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
        {
            seen.Add($"use {++uses}");
            return Task.CompletedTask;
        }

        public void Dispose() => seen.Add("disposed");
    }

    private sealed class Inner(Seen seen) : IEventMiddleware
    {
        public Task InvokeAsync(EventContext context, EventDelegate next, CancellationToken cancellationToken)
        {
            seen.Add("inner");
            return next(context, cancellationToken);
        }
    }

    private sealed class PublishesAtBothEnds(IEventBus bus) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken) => bus.PublishAsync(new OrderPlaced("start"), cancellationToken);

        public Task StopAsync(CancellationToken cancellationToken) => bus.PublishAsync(new OrderPlaced("stop"), cancellationToken);
    }
}
