using EventBus;

namespace Checkout;

/// <summary>Reserves the items, which are not in the event.</summary>
public sealed class ReserveStock(StockService stock, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        stock.ReserveAsync(orders.Get(order.OrderId), cancellationToken);
}
