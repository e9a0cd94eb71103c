using EventBus;

namespace Checkout;

public sealed class ReserveStock(StockService stock) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        stock.ReserveAsync(order.OrderId, cancellationToken);
}
