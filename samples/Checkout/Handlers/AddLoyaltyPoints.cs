using EventBus;

namespace Checkout;

/// <summary>Its subscription is idempotent: copies of an event that was handled do not get here.</summary>
public sealed class AddLoyaltyPoints(LoyaltyService loyalty, IPointsLedger ledger) : IEventHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
    {
        // Another service: if this process dies before the event is marked, the call is made again, with the same key.
        await loyalty.AddPointsAsync(order.OrderId, order.UserId, context.IdempotencyKey, cancellationToken);

        // The shop's own books: in SQLite they are written in the commit that marks the event, so exactly once.
        ledger.Credit(order, context);
    }
}
