using EventBus;

namespace Checkout;

/// <summary>Tracks an order until it is shipped.</summary>
public sealed class Fulfil(Fulfilments fulfilments) : IEventHandler<OrderPaid>, IEventHandler<OrderShipped>
{
    public Task HandleAsync(OrderPaid order, EventContext context, CancellationToken cancellationToken) =>
        fulfilments.MarkPaidAsync(order.OrderId, cancellationToken);

    public Task HandleAsync(OrderShipped order, EventContext context, CancellationToken cancellationToken) =>
        fulfilments.MarkShippedAsync(order.OrderId, cancellationToken);
}

/// <summary>
/// Decides before each <c>order.shipped</c>, and again whenever another event of its order was handled.
/// </summary>
public sealed class ShippedAfterPaid(Fulfilments fulfilments) : IOrderGuard<OrderShipped>
{
    public async Task<OrderDecision> DecideAsync(OrderShipped order, EventContext context, CancellationToken cancellationToken) =>
        await fulfilments.IsPaidAsync(order.OrderId, cancellationToken) ? OrderDecision.Proceed : OrderDecision.Defer;
}
