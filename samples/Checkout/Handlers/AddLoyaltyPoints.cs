using EventBus;

namespace Checkout;

public sealed class AddLoyaltyPoints(LoyaltyService loyalty) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        loyalty.AddPointsAsync(order.OrderId, order.UserId, cancellationToken);
}
