using EventBus;

namespace Checkout;

public sealed class RefreshRecommendations(RecommendationService recommendations, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
    {
        var (userId, _) = await orders.DetailsOfAsync(order, cancellationToken);
        await recommendations.RefreshAsync(order.OrderId, userId, cancellationToken);
    }
}
