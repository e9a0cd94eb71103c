using EventBus;

namespace Checkout;

/// <summary>Follows an order to the customer's door.</summary>
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

/// <summary>Is asked before each <c>order.shipped</c>, and again whenever something of its order was handled.</summary>
public sealed class ShippedAfterPaid(OrderBook orders) : IOrderGuard<OrderShipped>
{
    public Task<OrderDecision> DecideAsync(OrderShipped order, EventContext context, CancellationToken cancellationToken) =>
        Task.FromResult(orders.IsPaid(order.OrderId) ? OrderDecision.Proceed : OrderDecision.Defer);
}
