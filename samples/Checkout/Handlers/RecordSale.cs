using EventBus;

namespace Checkout;

public sealed class RecordSale(AnalyticsService analytics, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        analytics.RecordSaleAsync(order.OrderId, orders.DetailsOf(order).Total, cancellationToken);
}
