using EventBus;

namespace Checkout;

/// <summary>Cancels orders in the table <c>orders</c>, and knows the cancellations whose event is to be published.</summary>
public sealed class Cancellations(ShopDatabase database, IEventBus bus, ILogger<Cancellations> log)
{
    /// <summary>Cancels an order that stands and is not shipped, once. From this commit on its event is to be published.</summary>
    /// <returns>The new version of the order.</returns>
    /// <exception cref="RefusedException">
    /// There is no such order, or it is cancelled or shipped already.
    /// </exception>
    public async Task<long> CancelAsync(string orderId, CancellationToken cancellationToken)
    {
        const string Cancel = """
            UPDATE orders SET state = 'cancelled', version = version + 1, is_cancellation_published = 0
            WHERE order_id = @id AND state = 'paid'
                AND NOT EXISTS (SELECT 1 FROM fulfilments WHERE order_id = @id AND state = 'shipped')
            RETURNING version
            """;
        var cancelled = await database.QueryAsync(Cancel, [("@id", orderId)], static row => row.GetInt64(0), cancellationToken);
        return cancelled is [var version] ? version : throw await RefusalOfAsync(orderId, cancellationToken);
    }

    /// <summary>
    /// Publishes the event of a cancellation, always under the same id. If the broker does not accept it, the order is
    /// cancelled nevertheless, and its event is still to be published.
    /// </summary>
    public async Task PublishAsync(string orderId, CancellationToken cancellationToken)
    {
        try
        {
            var options = new PublishOptions { EventId = $"order-{orderId}-cancelled" };
            await bus.PublishAsync(new OrderCancelled(orderId), options, cancellationToken);
        }
        catch (PublishException exception)
        {
            log.LogWarning("Order {OrderId} is cancelled, its event is published later: {Error}", orderId, exception.Message);
            return;
        }

        await database.ExecuteAsync(
            "UPDATE orders SET is_cancellation_published = 1 WHERE order_id = @id",
            [("@id", orderId)],
            cancellationToken);
    }

    /// <summary>Returns the ids of the cancelled orders whose event is to be published.</summary>
    public Task<List<string>> UnpublishedAsync(CancellationToken cancellationToken) =>
        database.QueryAsync(
            "SELECT order_id FROM orders WHERE is_cancellation_published = 0 ORDER BY number",
            [],
            static row => row.GetString(0),
            cancellationToken);

    private async Task<RefusedException> RefusalOfAsync(string orderId, CancellationToken cancellationToken)
    {
        const string State = "SELECT state FROM orders WHERE order_id = @id AND state IN ('paid', 'cancelled')";
        var found = await database.QueryAsync(State, [("@id", orderId)], static row => row.GetString(0), cancellationToken);
        return found switch
        {
            ["cancelled"] => new RefusedException(StatusCodes.Status409Conflict, $"order {orderId} is cancelled already"),
            ["paid"] => new RefusedException(StatusCodes.Status409Conflict, $"order {orderId} is shipped already"),
            _ => new RefusedException(StatusCodes.Status404NotFound, $"there is no order {orderId}"),
        };
    }
}
