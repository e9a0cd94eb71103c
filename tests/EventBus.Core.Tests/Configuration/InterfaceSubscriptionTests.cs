using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

public sealed class InterfaceSubscriptionTests
{
    private readonly Seen seen = new();

    private interface IParcelEvent
    {
        string ParcelId { get; }
    }

    private interface IAudited;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Interface_Subscribed_GetsDeclaredPublishedAndSubscribedTypesOnce()
    {
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory()
                    .Publishes<ParcelSent>()
                    .Subscribe<IParcelEvent, RecordAll>("all")
                    .Subscribe<ParcelOpened>("opened", (_, _, _) => Task.CompletedTask)
                    .Publishes<OrderPlaced>();
                bus.Event<ParcelSentAbroad>().KeyedBy(e => e.ParcelId);
            },
            services: services => services.AddSingleton(seen));

        await running.Bus.PublishAsync(new ParcelSent("1"), Token);
        await running.Bus.PublishAsync(new ParcelSentAbroad("2"), Token);
        await running.Bus.PublishAsync(new ParcelOpened("3"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("4"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["parcel-sent.abroad 2", "parcel.opened 3", "parcel.sent 1"], seen.Items.Order(StringComparer.Ordinal));
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task AbstractClass_Subscribed_GetsWhatDerivesFromIt()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Publishes<ParcelOpened>()
            .Publishes<ParcelSent>()
            .Subscribe<ParcelTouched>("touched", (e, _, _) => Note(e.ParcelId)));

        await running.Bus.PublishAsync(new ParcelOpened("1"), Token);
        await running.Bus.PublishAsync(new ParcelSent("2"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["1"], seen.Items);
    }

    [Fact]
    public async Task ConcreteBaseClass_Subscribed_GetsItsOwnEventAlone()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Publishes<ParcelSentAbroad>().Subscribe<ParcelSent>("sent", (e, _, _) => Note(e.ParcelId)));

        await running.Bus.PublishAsync(new ParcelSent("1"), Token);
        await running.Bus.PublishAsync(new ParcelSentAbroad("2"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["1"], seen.Items);
    }

    [Fact]
    public async Task Interface_NextToAHandlerOfOneType_LeavesThatTypeToIt()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Publishes<ParcelOpened>().Subscribe("desk", s => s
            .On<IParcelEvent>((e, _, _) => Note($"any {e.ParcelId}"))
            .On<ParcelSent>((e, _, _) => Note($"sent {e.ParcelId}"))));

        await running.Bus.PublishAsync(new ParcelSent("1"), Token);
        await running.Bus.PublishAsync(new ParcelOpened("2"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["any 2", "sent 1"], seen.Items.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Interface_WithAnOldVersionThatIsUpcast_GetsTheNewOneOnce()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Upcast<ParcelWeighedOld, ParcelWeighed>(old => new ParcelWeighed(old.ParcelId, "carried"))
            .Subscribe<IParcelEvent>("all", (e, _, _) => Note($"{e.GetType().Name} {e.ParcelId}")));

        await running.Bus.PublishAsync(new ParcelWeighedOld("1"), Token);
        await running.Bus.PublishAsync(new ParcelWeighed("2", "new"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["ParcelWeighed 1", "ParcelWeighed 2"], seen.Items.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Interface_OrderedGuardedAndIdempotent_IsAskedByItsInterface()
    {
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.UseInMemory().StoreInMemory().Publishes<ParcelSent>().Publishes<ParcelOpened>().Subscribe("all", s => s
                .On<IParcelEvent>((e, context, _) => Note(context.IdempotencyKey)).Ordered()
                .Sequenced<IParcelEvent>(e => int.Parse(e.ParcelId, null))
                .Idempotent(once => once.KeyedBy<IParcelEvent>(e => $"parcel {e.ParcelId}")));
        });

        await running.Bus.PublishAsync(new ParcelOpened("2"), new PublishOptions { Key = "k" }, Token);
        await running.Bus.PublishAsync(new ParcelSent("1"), new PublishOptions { Key = "k" }, Token);
        await running.WhenIdleAsync();

        Assert.Equal(["all~parcel.sent~parcel 1", "all~parcel.opened~parcel 2"], seen.Items);
    }

    [Theory]
    [InlineData("none", "no event type known to this bus is assignable to it", "bus.Publishes<TEvent>()")]
    [InlineData("two", "has two handlers for", "make two subscriptions")]
    [InlineData("publishes", "no event is of that type itself", "Declare the types that are published")]
    [InlineData("keyed", "no event is of that type itself", "Declare the types that are published")]
    [InlineData("*", "every event name has two or more", "'#' for any number")]
    [InlineData("user", "every event name has two or more", "'user.#' for any number")]
    public async Task Subscription_ThatCannotMatch_IsAStartUpErrorThatNamesTheFix(string mistake, string what, string fix)
    {
        using var host = RunningBus.Build(bus =>
        {
            bus.UseInMemory();
            switch (mistake)
            {
                case "none":
                    bus.Publishes<OrderPlaced>().Subscribe<IParcelEvent>("all", (_, _, _) => Task.CompletedTask);
                    break;
                case "two":
                    bus.Publishes<ParcelOpened>().Subscribe(
                        "all",
                        s => s.On<IParcelEvent>((_, _, _) => Task.CompletedTask).On<IAudited>((_, _, _) => Task.CompletedTask));
                    break;
                case "publishes":
                    bus.Publishes<IParcelEvent>();
                    break;
                case "keyed":
                    bus.Event<ParcelTouched>().KeyedBy(e => e.ParcelId);
                    break;
                default:
                    bus.SubscribePattern("all", mistake, (_, _) => Task.CompletedTask);
                    break;
            }
        });

        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));

        Assert.Contains(what, error.Message, StringComparison.Ordinal);
        Assert.Contains(fix, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("#")]
    [InlineData("user.#")]
    [InlineData("*.#")]
    [InlineData("#.placed")]
    [InlineData("*.*")]
    public async Task Pattern_ThatCanMatchTwoWords_Starts(string pattern)
    {
        await using var running =
            await RunningBus.StartAsync(bus => bus.UseInMemory().SubscribePattern("all", pattern, (_, _) => Task.CompletedTask));

        Assert.NotNull(running.Bus);
    }

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }

    private record ParcelSent(string ParcelId) : IParcelEvent;

    [EventName("parcel-sent.abroad")]
    private sealed record ParcelSentAbroad(string ParcelId) : ParcelSent(ParcelId), IParcelEvent;

    private abstract record ParcelTouched(string ParcelId);

    private sealed record ParcelOpened(string ParcelId) : ParcelTouched(ParcelId), IParcelEvent, IAudited;

    [EventName("parcel.weighed")]
    private sealed record ParcelWeighedOld(string ParcelId) : IParcelEvent;

    [EventName("parcel.weighed", Version = 2)]
    private sealed record ParcelWeighed(string ParcelId, string Note) : IParcelEvent;

    private sealed class RecordAll(Seen seen) : IEventHandler<IParcelEvent>
    {
        public Task HandleAsync(IParcelEvent e, EventContext context, CancellationToken cancellationToken)
        {
            seen.Add($"{context.EventName} {e.ParcelId}");
            return Task.CompletedTask;
        }
    }
}
