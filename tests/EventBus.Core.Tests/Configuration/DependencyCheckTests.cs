using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace EventBus;

/// <summary>
/// Shows which dependencies of handlers, guards, middleware and alerts are mistakes at the start, and which are left
/// alone. The hosts run in Production, where the container itself checks nothing.
/// </summary>
public sealed class DependencyCheckTests
{
    private const string Handler = "The handler EventBus.DependencyCheckTests+NeedsMail of the subscription 'mail'";

    private interface IMail;

    private interface IBilling;

    [Fact]
    public async Task Start_HandlerWithoutItsDependency_NamesHandlerSubscriptionTypeAndCall()
    {
        var problems = await ProblemsAsync(Mail<NeedsMail>);

        Assert.Equal(
            [$"{Handler} cannot be created, because it needs {typeof(IMail)}, which is not registered. Register it, for instance: "
                + "services.AddScoped<IMail, ...>()."],
            problems);
    }

    [Fact]
    public async Task Start_SeveralMistakes_AreReportedTogether()
    {
        var problems = await ProblemsAsync(bus => Mail<NeedsMail>(bus)
            .SubscribePattern<OfPattern>("audit", "order.#")
            .Subscribe("guarded", s => s.On<OrderPlaced, Free>().Guard<OrderPlaced, Guards>())
            .Use<Around>()
            .AddAlert<Alarm>());

        Assert.Equal(5, problems.Count);
        Assert.Contains(problems, text => text.StartsWith(Handler, StringComparison.Ordinal));
        Assert.Contains(problems, text => text.StartsWith($"The handler {typeof(OfPattern)} of", StringComparison.Ordinal));
        Assert.Contains(problems, text => text.StartsWith($"The guard {typeof(Guards)} of", StringComparison.Ordinal));
        Assert.Contains(problems, text => text.StartsWith($"The middleware {typeof(Around)} ", StringComparison.Ordinal));
        Assert.Contains(problems, text => text.StartsWith($"The alert {typeof(Alarm)} ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_SingletonHandlerWithoutItsDependency_IsACollectedMistake() =>
        Assert.Contains(
            "needs EventBus.DependencyCheckTests+IMail, which is not registered",
            Assert.Single(await ProblemsAsync(Mail<NeedsMail>, services => services.AddSingleton<NeedsMail>())),
            StringComparison.Ordinal);

    [Fact]
    public async Task Start_DependencyOfADependency_NamesBoth()
    {
        var problems = await ProblemsAsync(Mail<NeedsMail>, services => services.AddTransient<IMail, BilledMail>());

        Assert.Equal(
            $"{Handler} cannot be created, because {typeof(BilledMail)}, which it uses, needs {typeof(IBilling)}, which is not registered. "
                + "Register it, for instance: services.AddScoped<IBilling, ...>().",
            Assert.Single(problems));
    }

    [Theory]
    [InlineData(typeof(NeedsLogger), "Take an ILogger<NeedsLogger> instead.")]
    [InlineData(typeof(NeedsClient), "services.AddHttpClient<NeedsClient>()")]
    [InlineData(typeof(NeedsSettings), "take an IOptions<Settings> instead")]
    [InlineData(typeof(NeedsKeyedMail), "services.AddKeyedScoped<IMail, ...>(\"urgent\")")]
    [InlineData(typeof(NeedsBilling), "[FromKeyedServices(\"eu\")] IBilling")]
    [InlineData(typeof(Hidden), "has no public constructor")]
    public async Task Start_FrequentMistake_NamesItsOwnCall(Type handler, string advice)
    {
        var problems = await ProblemsAsync(
            bus => Subscribe(bus, handler),
            services => services.Configure<Settings>(_ => { }).AddKeyedSingleton<IBilling, Billing>("eu"));

        Assert.Contains(advice, Assert.Single(problems), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_SingletonHandlerWithAScopedService_IsAMistake()
    {
        var direct = await ProblemsAsync(
            Mail<NeedsMail>,
            services => services.AddSingleton<NeedsMail>().AddScoped<IMail>(_ => new Plain()));
        var snapshot = await ProblemsAsync(Mail<NeedsSnapshot>, services => services.AddSingleton<NeedsSnapshot>());

        Assert.Contains(
            $"it needs {typeof(IMail)}, which is scoped, and is itself a singleton",
            Assert.Single(direct),
            StringComparison.Ordinal);
        Assert.Contains("IOptionsSnapshot", Assert.Single(snapshot), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ScopedServiceOfAnotherTypeThanTheHandler_IsLeftAlone()
    {
        await using var running = await RunningBus.StartAsync(
            bus => Mail<NeedsMail>(bus),
            services: services => services.AddSingleton<NeedsMail>().AddTransient<IMail, BilledMail>().AddScoped<IBilling, Billing>());

        await running.StopAsync();
    }

    [Fact]
    public async Task Start_OpenGenericServiceUnderAnyKey_IsLeftAlone()
    {
        await using var running = await RunningBus.StartAsync(
            bus => Mail<NeedsKeyedBox>(bus),
            services: services => services.AddKeyedScoped(typeof(IBox<>), KeyedService.AnyKey, typeof(Box<>)));

        await running.StopAsync();
    }

    [Fact]
    public async Task Start_WhatTheContainerCanCreate_IsLeftAlone()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Subscribe<OrderPlaced, Rich>("rich")
                .Subscribe<OrderPlaced, Either>("either")
                .Subscribe<OrderPlaced, NeedsMail>("factory")
                .Subscribe<OrderPlaced, NeedsBilling>("instance")
                .Subscribe<OrderPlaced, Circular>("circular"),
            services: services => services
                .AddScoped(_ => new NeedsMail(new Plain()))
                .AddSingleton(new NeedsBilling(new Billing()))
                .AddTransient<First>()
                .AddTransient<Second>()
                .AddKeyedSingleton<IMail, Plain>("urgent"));

        await running.StopAsync();
    }

    [Fact]
    public async Task Start_InstanceThatOnlyPublishes_NeedsNoDependencyOfHandlers()
    {
        await using var running = await RunningBus.StartAsync(bus => Mail<NeedsMail>(bus).Configure(options => options.Consume = false));

        await running.StopAsync();
    }

    [Fact]
    public void Problems_ContainerThatCannotTell_IsLeftAlone()
    {
        var services = new ServiceCollection();
        var registration = new BusRegistration(services, null);
        new EventBusBuilder(registration).Subscribe<OrderPlaced, NeedsMail>("mail");
        using var provider = services.BuildServiceProvider();

        Assert.Single(DependencyCheck.Problems(registration, consumes: true, provider));
        Assert.Empty(DependencyCheck.Problems(registration, consumes: true, new OtherContainer(null)));
        Assert.Empty(DependencyCheck.Problems(registration, consumes: true, new OtherContainer(new NothingKnown())));
    }

    private static EventBusBuilder Mail<THandler>(EventBusBuilder bus)
        where THandler : class, IEventHandler<OrderPlaced> => bus.UseInMemory().Subscribe<OrderPlaced, THandler>("mail");

    private static void Subscribe(EventBusBuilder bus, Type handler)
    {
        _ = handler switch
        {
            _ when handler == typeof(NeedsLogger) => Mail<NeedsLogger>(bus),
            _ when handler == typeof(NeedsClient) => Mail<NeedsClient>(bus),
            _ when handler == typeof(NeedsSettings) => Mail<NeedsSettings>(bus),
            _ when handler == typeof(NeedsKeyedMail) => Mail<NeedsKeyedMail>(bus),
            _ when handler == typeof(NeedsBilling) => Mail<NeedsBilling>(bus),
            _ => Mail<Hidden>(bus),
        };
    }

    private static Task<IReadOnlyList<string>> ProblemsAsync(
        Func<EventBusBuilder, EventBusBuilder> configure,
        Action<IServiceCollection>? services = null) => ProblemsAsync(bus => { configure(bus); }, services);

    private static async Task<IReadOnlyList<string>> ProblemsAsync(
        Action<EventBusBuilder> configure,
        Action<IServiceCollection>? services = null)
    {
        using var host = RunningBus.Build(configure, services: services);
        Assert.True(host.Services.GetRequiredService<IHostEnvironment>().IsProduction());
        return (await Assert.ThrowsAsync<EventBusConfigurationException>(
            () => host.StartAsync(TestContext.Current.CancellationToken))).Problems;
    }

    private interface IBox<T>;

    private sealed class Box<T> : IBox<T>;

    private abstract class Handling : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Plain : IMail;

    private sealed class Billing : IBilling;

    private sealed class Settings;

#pragma warning disable CS9113 // The parameters are never used: the container has to provide them.
    private sealed class BilledMail(IBilling billing) : IMail;

    private sealed class Free : Handling;

    private sealed class NeedsMail(IMail mail) : Handling;

    private sealed class NeedsBilling(IBilling billing) : Handling;

    private sealed class NeedsLogger(ILogger log) : Handling;

    private sealed class NeedsClient(HttpClient client) : Handling;

    private sealed class NeedsSettings(Settings settings) : Handling;

    private sealed class NeedsSnapshot(IOptionsSnapshot<Settings> settings) : Handling;

    private sealed class NeedsKeyedMail([FromKeyedServices("urgent")] IMail mail) : Handling;

    private sealed class NeedsKeyedBox([FromKeyedServices("eu")] IBox<OrderPlaced> box) : Handling
    {
        public IBox<OrderPlaced> Box => box;
    }

    private sealed class Rich(
        ILogger<Rich> log,
        IServiceScopeFactory scopes,
        IEnumerable<IMail> mails,
        IEventBus bus,
        [FromKeyedServices("urgent")] IMail mail,
        int number = 7) : Handling;

    private sealed class Circular(First first) : Handling;

    private sealed class First(Second second);

    private sealed class Second(First first);

    private sealed class OfPattern(IMail mail) : IEventHandler<object>
    {
        public Task HandleAsync(object @event, EventContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Guards(IMail mail) : IOrderGuard<OrderPlaced>
    {
        public Task<OrderDecision> DecideAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) =>
            Task.FromResult(OrderDecision.Proceed);
    }

    private sealed class Around(IMail mail) : IEventMiddleware
    {
        public Task InvokeAsync(EventContext context, EventDelegate next, CancellationToken cancellationToken) =>
            next(context, cancellationToken);
    }

    private sealed class Alarm(IMail mail) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken) => Task.CompletedTask;
    }
#pragma warning restore CS9113

    private sealed class Hidden : Handling
    {
        private Hidden()
        {
        }
    }

    private sealed class Either : Handling
    {
        public Either(IMail mail) => ArgumentNullException.ThrowIfNull(mail);

        public Either(ILogger<Either> log) => ArgumentNullException.ThrowIfNull(log);
    }

    private sealed class OtherContainer(IServiceProviderIsService? known) : IServiceProvider
    {
        public object? GetService(Type serviceType) => serviceType == typeof(IServiceProviderIsService) ? known : null;
    }

    private sealed class NothingKnown : IServiceProviderIsService
    {
        public bool IsService(Type serviceType) => false;
    }
}
