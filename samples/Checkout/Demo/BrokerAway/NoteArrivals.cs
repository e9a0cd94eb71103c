using EventBus;

namespace Checkout.Demo;

/// <summary>
/// Writes a row for each event that arrives, copies too: a middleware, of which one subscription is enough that is not
/// idempotent.
/// </summary>
internal sealed class NoteArrivals(ShopDatabase database) : IEventMiddleware
{
    public async Task InvokeAsync(EventContext context, EventDelegate next, CancellationToken cancellationToken)
    {
        if (context.Subscription == "recommendations")
        {
            await database.ExecuteAsync(
                "INSERT INTO arrivals (order_id, event_id) VALUES (@order, @event)",
                [("@order", context.Key), ("@event", context.EventId)],
                cancellationToken);
        }

        await next(context, cancellationToken);
    }
}
