using EventBus;

namespace Checkout;

public sealed class RefreshRecommendations(RecommendationService recommendations) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        recommendations.RefreshAsync(order.OrderId, order.UserId, cancellationToken);
}
