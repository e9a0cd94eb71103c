using EventBus;

namespace Checkout;

/// <summary>
/// Puts the newest row of an order into the cache. It may run twice or late, and next to another one: the version of
/// the order decides.
/// </summary>
public sealed class CacheOrder(OrderQueries queries, OrderCache cache) : IEventHandler<OrderHistoryChanged>
{
    public async Task HandleAsync(OrderHistoryChanged changed, EventContext context, CancellationToken cancellationToken)
    {
        if (await queries.FindAsync(changed.OrderId, cancellationToken) is var (userId, order))
        {
            await cache.PutAsync(userId, order);
        }
    }
}
