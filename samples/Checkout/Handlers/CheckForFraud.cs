using EventBus;

namespace Checkout;

/// <summary>
/// Reports expensive orders. An order that is reported is stopped before it is shipped, not at the checkout.
/// </summary>
public sealed class CheckForFraud(OrderBook orders, ILogger<CheckForFraud> log) : IEventHandler<OrderPlaced>
{
    private const decimal Limit = 1_000m;

    public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
    {
        var (_, total) = await orders.DetailsOfAsync(order, cancellationToken);
        if (total > Limit)
        {
            log.LogWarning("Order {OrderId}: {Total} is above {Limit}", order.OrderId, total, Limit);
        }
    }
}
