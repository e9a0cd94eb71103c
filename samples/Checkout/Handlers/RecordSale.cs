using EventBus;

namespace Checkout;

public sealed class RecordSale(AnalyticsService analytics, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
    {
        var (_, total) = await orders.DetailsOfAsync(order, cancellationToken);
        await analytics.RecordSaleAsync(order.OrderId, total, cancellationToken);
    }
}
