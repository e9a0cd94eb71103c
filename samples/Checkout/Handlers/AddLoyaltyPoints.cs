using EventBus;

namespace Checkout;

/// <summary>
/// Adds loyalty points. The subscription is idempotent: copies of a handled event do not reach the handler.
/// </summary>
public sealed class AddLoyaltyPoints(LoyaltyService loyalty, OrderBook orders, IPointsLedger ledger) : IEventHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
    {
        var (userId, total) = await orders.DetailsOfAsync(order, cancellationToken);

        // Another service: if this process ends before the event is marked, the call is repeated with the same key.
        await loyalty.AddPointsAsync(order.OrderId, userId, context.IdempotencyKey, cancellationToken);

        // The shop's own ledger: in SQLite it is written in the commit that marks the event, so exactly once.
        ledger.Credit(order.OrderId, userId, (int)total, context);
    }
}
