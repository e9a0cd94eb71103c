using Microsoft.AspNetCore.Mvc;

namespace Checkout;

/// <summary>A number of pieces of one product.</summary>
public sealed record CartItem(string ProductId, int Quantity);

/// <summary>The request of a customer.</summary>
public sealed record Cart(string UserId, IReadOnlyList<CartItem> Items);

/// <summary>
/// The answer to the customer: the order stands and is paid. It is delayed if the broker is away: receipt and parcel
/// follow when it is back.
/// </summary>
public sealed record CheckoutReply(string OrderId, bool IsDelayed = false);

/// <summary>Maps the same checkout in two ways.</summary>
public static class CheckoutEndpoints
{
    public static void MapCheckout(this IEndpointRouteBuilder app)
    {
        app.MapPost("/checkout/blocking", BlockingAsync);
        app.MapPost("/checkout", EventDrivenAsync);
        app.MapOrders();
    }

    /// <summary>Calls seven services, waits for all of them, and fails when one of them fails.</summary>
    private static async Task<CheckoutReply> BlockingAsync(
        Cart cart,
        OrderService orders,
        PaymentService payments,
        IMail mail,
        StockService stock,
        AnalyticsService analytics,
        LoyaltyService loyalty,
        RecommendationService recommendations,
        CancellationToken cancellationToken)
    {
        var order = await orders.CreateAsync(cart, null, cancellationToken);
        await payments.ChargeAsync(order, cancellationToken);
        await orders.ConfirmAsync(order, hasEvent: false, cancellationToken);
        await mail.SendReceiptAsync(order.OrderId, order.UserId, cancellationToken);
        await stock.ReserveAsync(order, cancellationToken);
        await analytics.RecordSaleAsync(order.OrderId, order.Total, cancellationToken);
        await loyalty.AddPointsAsync(order.OrderId, order.UserId, order.OrderId, cancellationToken);
        await recommendations.RefreshAsync(order.OrderId, order.UserId, cancellationToken);
        return new CheckoutReply(order.OrderId);
    }

    /// <summary>
    /// Waits only for the order and the payment, which may be refused. Other services receive an event.
    /// </summary>
    private static async Task<CheckoutReply> EventDrivenAsync(
        Cart cart,
        [FromHeader(Name = "Idempotency-Key")] string? idempotencyKey,
        OrderService orders,
        PaymentService payments,
        OrderRelay relay,
        CancellationToken cancellationToken)
    {
        #region checkout
        var order = await orders.CreateAsync(cart, idempotencyKey, cancellationToken); // 409: an item is not in stock

        // From here on without the request's token: a customer who closes the browser must not stop it in the middle.
        await payments.ChargeAsync(order, CancellationToken.None); // 402: the card is declined
        await orders.ConfirmAsync(order, hasEvent: true, CancellationToken.None);

        // The order stands and is paid, whatever happens now. If the broker is away, the event follows.
        var isPublished = await relay.PublishAsync(order.OrderId);
        return new CheckoutReply(order.OrderId, IsDelayed: !isPublished);
        #endregion
    }
}
