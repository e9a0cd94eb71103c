using EventBus;

namespace Checkout;

/// <summary>Tracks an order until it is shipped.</summary>
public sealed class Fulfil(OrderBook orders) : IEventHandler<OrderPaid>, IEventHandler<OrderShipped>
{
    public Task HandleAsync(OrderPaid order, EventContext context, CancellationToken cancellationToken)
    {
        orders.MarkPaid(order.OrderId);
        return Task.CompletedTask;
    }

    public Task HandleAsync(OrderShipped order, EventContext context, CancellationToken cancellationToken)
    {
        orders.MarkShipped(order.OrderId);
        return Task.CompletedTask;
    }
}

/// <summary>
/// Decides before each <c>order.shipped</c>, and again whenever another event of its order was handled.
/// </summary>
public sealed class ShippedAfterPaid(OrderBook orders) : IOrderGuard<OrderShipped>
{
    public Task<OrderDecision> DecideAsync(OrderShipped order, EventContext context, CancellationToken cancellationToken) =>
        Task.FromResult(orders.IsPaid(order.OrderId) ? OrderDecision.Proceed : OrderDecision.Defer);
}
