using EventBus;

namespace Checkout;

#region projection
/// <summary>
/// Keeps the read model: reads the order, which the event names by its id, and writes its rows in their newest version.
/// </summary>
public sealed class KeepOrderHistory(OrderBook orders, OrderHistory history, OrderCache? cache = null)
    : IEventHandler<OrderPlaced>, IEventHandler<OrderCancelled>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        KeepAsync(order.OrderId, context, cancellationToken);

    public Task HandleAsync(OrderCancelled order, EventContext context, CancellationToken cancellationToken) =>
        KeepAsync(order.OrderId, context, cancellationToken);

    private async Task KeepAsync(string orderId, EventContext context, CancellationToken cancellationToken)
    {
        await history.KeepAsync(await orders.GetAsync(orderId, cancellationToken), context, cancellationToken);
        if (cache is not null)
        {
            // A follow-up event: sent after the commit, so that the cache never has what SQLite does not have.
            await context.PublishAsync(new OrderHistoryChanged(orderId), cancellationToken);
        }
    }
}
#endregion
