using EventBus;
using Microsoft.AspNetCore.Mvc;

namespace Checkout;

/// <summary>
/// The reply to a cancellation: the version in which the order is cancelled. It is delayed if the broker is away.
/// </summary>
public sealed record CancelReply(string OrderId, long Version, bool IsDelayed = false);

/// <summary>
/// Maps the command that cancels an order, the queries, and the rebuild of the read model. In a real shop these
/// endpoints need authorization.
/// </summary>
public static class OrderEndpoints
{
    public static void MapOrders(this IEndpointRouteBuilder app)
    {
        app.MapPost("/orders/{id}/cancel", CancelAsync);
        app.MapGet("/orders", ListAsync);
        app.MapGet("/orders/products", ProductsAsync);
        app.MapPost("/orders/rebuild", RebuildAsync);
    }

    #region command
    /// <summary>A command: changes the write tables, publishes what happened, and returns the new version.</summary>
    private static async Task<CancelReply> CancelAsync(
        string id,
        OrderBook orders,
        OrderRelay relay,
        CancellationToken cancellationToken)
    {
        // Without the request's token: a customer who closes the browser must not stop it in the middle.
        var version = await orders.CancelAsync(id, CancellationToken.None) ?? throw await RefusalOfAsync(id, orders, cancellationToken);

        // The order is cancelled, whatever happens now. If the broker is away, the relay publishes the event later.
        var isPublished = await relay.PublishAsync(id);
        return new CancelReply(id, version, IsDelayed: !isPublished);
    }
    #endregion

    private static async Task<RefusedException> RefusalOfAsync(string id, OrderBook orders, CancellationToken cancellationToken) =>
        await orders.StateOfAsync(id, cancellationToken) switch
        {
            OrderState.Cancelled => new RefusedException(StatusCodes.Status409Conflict, $"order {id} is cancelled already"),
            OrderState.Paid => new RefusedException(StatusCodes.Status409Conflict, $"order {id} is shipped already"),
            _ => new RefusedException(StatusCodes.Status404NotFound, $"there is no order {id}"),
        };

    #region query
    /// <summary>
    /// A query: reads the read model. With an order it waits until the read model has it, in this version or a newer
    /// one.
    /// </summary>
    private static async Task<OrderPage> ListAsync(
        string user,
        string? order,
        long? version,
        OrderReader orders,
        CancellationToken cancellationToken) =>
        new(order is not null
            ? await orders.ListAsync(user, order, version ?? 1, cancellationToken)
            : await orders.ListAsync(user, cancellationToken));
    #endregion

    private static async Task<IReadOnlyList<BoughtProduct>> ProductsAsync(
        string user,
        OrderQueries queries,
        CancellationToken cancellationToken) =>
        await queries.ProductsAsync(user, cancellationToken);

    private static async Task RebuildAsync(
        OrderHistory history,
        OrderQueries queries,
        OrderBook orders,
        [FromServices] OrderCache? cache,
        CancellationToken cancellationToken)
    {
        await history.RebuildAsync(orders, cancellationToken);
        foreach (var user in cache is null ? [] : await queries.UsersAsync(cancellationToken))
        {
            await cache!.DeleteAsync(user);
        }
    }
}
