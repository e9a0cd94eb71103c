using EventBus;

namespace Checkout;

/// <summary>Reserves the items, which are not in the event.</summary>
public sealed class ReserveStock(StockService stock, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        await stock.ReserveAsync(await orders.GetAsync(order.OrderId, cancellationToken), cancellationToken);
}
