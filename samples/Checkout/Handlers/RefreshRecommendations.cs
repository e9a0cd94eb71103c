using EventBus;

namespace Checkout;

public sealed class RefreshRecommendations(RecommendationService recommendations, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        recommendations.RefreshAsync(order.OrderId, orders.DetailsOf(order).UserId, cancellationToken);
}
