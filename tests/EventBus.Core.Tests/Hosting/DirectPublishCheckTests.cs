using EventBus.Sagas;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Shows which handlers that publish through the bus itself are found at the start.</summary>
public sealed class DirectPublishCheckTests : IDisposable
{
    private readonly LogMemory log = new();

    private IEnumerable<string> Warnings =>
        log.At(LogLevel.Warning).Where(text => text.Contains("IEventBus", StringComparison.Ordinal));

    public void Dispose() => log.Dispose();

    [Fact]
    public async Task Start_HandlerTakesItsOwnBus_WarnsOnceForItsTypeAndNamesTheFix()
    {
        await using var running = await StartAsync(bus => bus
            .Subscribe<OrderPlaced, Direct>("one")
            .Subscribe("two", s => s.On<OrderPlaced, Direct>().Ordered())
            .Subscribe<OrderPlaced, ByContext>("three"));

        var warning = Assert.Single(Warnings);
        Assert.Contains(nameof(Direct), warning, StringComparison.Ordinal);
        Assert.Contains("one, two", warning, StringComparison.Ordinal);
        Assert.Contains("context.PublishAsync", warning, StringComparison.Ordinal);
        Assert.Contains("s => s.PublishesDirectly()", warning, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_HandlerThatMayPublishDirectly_WarnsOfTheOtherSubscriptionsOnly()
    {
        await using var running = await StartAsync(bus => bus
            .Subscribe<OrderPlaced, Direct>("one", s => s.PublishesDirectly())
            .Subscribe("two", s => s.On<OrderPlaced, Direct>().PublishesDirectly())
            .Subscribe<OrderPlaced, Direct>("three")
            .SubscribePattern<DirectForAll>("four", "order.*", s => s.PublishesDirectly()));

        Assert.Contains("on which three is subscribed", Assert.Single(Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_HandlerOfAPattern_IsFoundToo()
    {
        await using var running = await StartAsync(bus => bus.SubscribePattern<DirectForAll>("audit", "order.*"));

        Assert.Contains(nameof(DirectForAll), Assert.Single(Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_HandlerTakesAnotherBus_WarnsOfNothing()
    {
        await using var running = await StartAsync(
            bus => bus.Subscribe<OrderPlaced, ToBilling>("billing"),
            services => services.AddKeyedEventBus("billing", bus => bus.UseInMemory().Subscribe<OrderPlaced, Direct>("shop")));

        Assert.Empty(Warnings);
    }

    [Fact]
    public async Task Start_HandlerTakesItsOwnKeyedBus_Warns()
    {
        await using var running = await StartAsync(
            _ => { },
            services => services.AddKeyedEventBus("billing", bus => bus.UseInMemory().Subscribe<OrderPlaced, ToBilling>("own")));

        Assert.Contains(nameof(ToBilling), Assert.Single(Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_SeveralConstructors_ChecksTheOneThatTheContainerUses()
    {
        await using var running = await StartAsync(
            bus => bus.Subscribe<OrderPlaced, NeedsWhatIsMissing>("missing").Subscribe<OrderPlaced, Optional>("optional"),
            services => services.AddSingleton<Seen>());

        Assert.Contains(nameof(Optional), Assert.Single(Warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_HandlerMadeByAFactoryOrADelegate_IsLeftAlone()
    {
        await using var running = await StartAsync(
            bus => bus
                .Subscribe<OrderPlaced, Direct>("made")
                .Subscribe<OrderPlaced>("delegate", (order, context, ct) =>
                    context.Services.GetRequiredService<IEventBus>().PublishAsync(new OrderShipped(order.OrderId), ct)),
            services => services.AddScoped(provider => new Direct(provider.GetRequiredService<IEventBus>())));

        Assert.Empty(Warnings);
    }

    [Fact]
    public async Task Start_PublisherOnly_WarnsOfNothing()
    {
        await using var running = await StartAsync(bus => bus.Subscribe<OrderPlaced, Direct>("one").Configure(o => o.Consume = false));

        Assert.Empty(Warnings);
    }

    [Fact]
    public async Task Start_SagaTakesItsOwnBus_WarnsUnlessItIsMeant()
    {
        await using var running = await StartAsync(bus => bus.AddSaga<DirectTrip, Trip>().AddSaga<MeantTrip, MeantState>());

        var warning = Assert.Single(Warnings);
        Assert.Contains(nameof(DirectTrip), warning, StringComparison.Ordinal);
        Assert.Contains("saga.PublishesDirectly()", warning, StringComparison.Ordinal);
    }

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure, Action<IServiceCollection>? services = null) =>
        RunningBus.StartAsync(
            bus => configure(bus.UseInMemory()),
            services: collection =>
            {
                collection.AddLogging(logging => logging.AddProvider(log));
                services?.Invoke(collection);
            });

    private sealed class Direct(IEventBus bus) : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) =>
            bus.PublishAsync(new OrderShipped(@event.OrderId), cancellationToken);
    }

    private sealed class DirectForAll(IEventBus bus) : IEventHandler<object>
    {
        public Task HandleAsync(object @event, EventContext context, CancellationToken cancellationToken) =>
            bus.PublishAsync(new ReceiptSent("1"), cancellationToken);
    }

    private sealed class ByContext : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) =>
            context.PublishAsync(new OrderShipped(@event.OrderId), cancellationToken);
    }

    private sealed class ToBilling([FromKeyedServices("billing")] IEventBus billing) : IEventHandler<OrderPlaced>
    {
        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) =>
            billing.PublishAsync(new OrderShipped(@event.OrderId), cancellationToken);
    }

    private sealed class NeedsWhatIsMissing : IEventHandler<OrderPlaced>
    {
        public NeedsWhatIsMissing()
        {
        }

        public NeedsWhatIsMissing(IEventBus bus, Script missing)
        {
            ArgumentNullException.ThrowIfNull(bus);
            ArgumentNullException.ThrowIfNull(missing);
        }

        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Optional : IEventHandler<OrderPlaced>
    {
        public Optional()
        {
        }

        public Optional(IEventBus bus, Seen seen, string? text = null)
        {
            ArgumentNullException.ThrowIfNull(bus);
            seen.Add(text ?? "");
        }

        public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class DirectTrip(IEventBus bus) : Saga<Trip>
    {
        protected internal override void Define(SagaBuilder<Trip> saga) =>
            saga.Step("flight", (_, ct) => bus.PublishAsync(new OrderPlaced("1"), ct));
    }

    private sealed record MeantState(string Traveller);

    private sealed class MeantTrip(IEventBus bus) : Saga<MeantState>
    {
        protected internal override void Define(SagaBuilder<MeantState> saga) =>
            saga.PublishesDirectly().Step("flight", (_, ct) => bus.PublishAsync(new OrderPlaced("1"), ct));
    }
}
