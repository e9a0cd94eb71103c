using EventBus;

namespace Checkout;

public sealed class RecordSale(AnalyticsService analytics) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        analytics.RecordSaleAsync(order.OrderId, order.Total, cancellationToken);
}
