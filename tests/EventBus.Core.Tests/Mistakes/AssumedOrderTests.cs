using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Mistakes;

/// <summary>Runs the code of docs/mistakes.md, "Assumed order".</summary>
public sealed class AssumedOrderTests
{
    private readonly Orders orders = new();
    private readonly Bank bank = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Events_InTwoSubscriptions_TheOlderOneIsHandledLast() => await RunWithoutOrderAsync(bus =>
    {
        #region wrong
        bus.Subscribe<OrderPaid, SetStatus>();
        bus.Subscribe<OrderShipped, SetStatus>();
        #endregion
    });

    [Fact]
    public async Task Events_InOneSubscriptionWithoutOrder_TheOlderOneIsHandledLast() =>
        await RunWithoutOrderAsync(bus => bus.Subscribe("status", s => s.On<OrderPaid, SetStatus>().On<OrderShipped, SetStatus>()));

    [Fact]
    public async Task Events_InAnOrderedSubscription_AreHandledInTheOrderOfPublishing()
    {
        // Without the guard, which would also let order.shipped wait.
        await using var running = await StartAsync(bus =>
        {
            bus.Event<OrderPaid>().KeyedBy(order => order.OrderId);
            bus.Event<OrderShipped>().KeyedBy(order => order.OrderId);
            bus.Subscribe("status", s => s.On<OrderPaid, SetStatus>().On<OrderShipped, SetStatus>().Ordered());
        });

        await running.Bus.PublishAsync(new OrderPaid("1"), Token);
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await bank.Asked;
        bank.Answer();
        await running.WhenIdleAsync();

        Assert.Equal(["paid", "shipped"], orders.History);
    }

    [Fact]
    public async Task Events_PublishedInTheWrongOrder_AreHandledInTheRightOne()
    {
        await using var running = await StartAsync(Right);
        bank.Answer();

        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await running.WhenIdleAsync();
        Assert.Empty(orders.History);
        await running.Bus.PublishAsync(new OrderPaid("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["paid", "shipped"], orders.History);
    }

    private static void Right(EventBusBuilder bus)
    {
        #region right
        bus.Event<OrderPaid>().KeyedBy(order => order.OrderId);
        bus.Event<OrderShipped>().KeyedBy(order => order.OrderId);
        bus.Subscribe("status", s => s
            .On<OrderPaid, SetStatus>()
            .On<OrderShipped, SetStatus>()
            .Ordered() // One event of an order at a time, in the order of publishing.
            .Guard<OrderShipped, ShippedAfterPaid>()); // If they were published in another order, shipped waits.
        #endregion
    }

    private async Task RunWithoutOrderAsync(Action<EventBusBuilder> wrong)
    {
        await using var running = await StartAsync(wrong);

        await running.Bus.PublishAsync(new OrderPaid("1"), Token);
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await Until.TrueAsync("order.shipped is handled while order.paid waits", () => orders.History.Count == 1, Token);
        bank.Answer();
        await running.WhenIdleAsync();

        Assert.Equal(["shipped", "paid"], orders.History);
    }

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure) => RunningBus.StartAsync(
        bus => configure(bus.UseInMemory()),
        services: services => services.AddSingleton(orders).AddSingleton(bank));

    public sealed record OrderPaid(string OrderId);

    public sealed record OrderShipped(string OrderId);

    #region handler
    public sealed class SetStatus(Orders orders, Bank bank) : IEventHandler<OrderPaid>, IEventHandler<OrderShipped>
    {
        public async Task HandleAsync(OrderPaid order, EventContext context, CancellationToken cancellationToken)
        {
            await bank.ConfirmAsync(order.OrderId, cancellationToken); // Meanwhile order.shipped is handled.
            orders.SetStatus(order.OrderId, "paid");
        }

        public Task HandleAsync(OrderShipped order, EventContext context, CancellationToken cancellationToken)
        {
            orders.SetStatus(order.OrderId, "shipped");
            return Task.CompletedTask;
        }
    }
    #endregion

    #region guard
    public sealed class ShippedAfterPaid(Orders orders) : IOrderGuard<OrderShipped>
    {
        public Task<OrderDecision> DecideAsync(OrderShipped order, EventContext context, CancellationToken cancellationToken) =>
            Task.FromResult(orders.IsPaid(order.OrderId) ? OrderDecision.Proceed : OrderDecision.Defer);
    }
    #endregion

    /// <summary>Records the status of one order.</summary>
    public sealed class Orders
    {
        private readonly Seen history = new();

        public IReadOnlyList<string> History => history.Items;

        public bool IsPaid(string orderId) => orderId == "1" && History.Contains("paid");

        public void SetStatus(string orderId, string status) => history.Add(orderId == "1" ? status : $"{orderId}: {status}");
    }

    /// <summary>Confirms payments when the test lets it.</summary>
    public sealed class Bank
    {
        private readonly TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource answered = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Asked => asked.Task.WaitAsync(RunningBus.Patience);

        public void Answer() => answered.TrySetResult();

        public Task ConfirmAsync(string orderId, CancellationToken cancellationToken)
        {
            asked.TrySetResult();
            return answered.Task.WaitAsync(cancellationToken);
        }
    }
}
