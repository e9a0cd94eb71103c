using EventBus;

namespace Checkout;

/// <summary>The request of a customer.</summary>
public sealed record Cart(string UserId, decimal Total);

/// <summary>The answer to the customer.</summary>
public sealed record CheckoutReply(string OrderId);

/// <summary>Maps the same checkout in two ways.</summary>
public static class CheckoutEndpoints
{
    public static void MapCheckout(this IEndpointRouteBuilder app)
    {
        app.MapPost("/checkout/blocking", BlockingAsync);
        app.MapPost("/checkout", EventDrivenAsync);
    }

    /// <summary>Calls seven services, waits for all of them, and fails when one of them fails.</summary>
    private static async Task<CheckoutReply> BlockingAsync(
        Cart cart,
        OrderService orders,
        PaymentService payments,
        EmailService email,
        StockService stock,
        AnalyticsService analytics,
        LoyaltyService loyalty,
        RecommendationService recommendations,
        CancellationToken cancellationToken)
    {
        var orderId = await orders.CreateAsync(cart, cancellationToken);
        await payments.ChargeAsync(orderId, cart.Total, cancellationToken);
        await email.SendReceiptAsync(orderId, cart.UserId, cancellationToken);
        await stock.ReserveAsync(orderId, cancellationToken);
        await analytics.RecordSaleAsync(orderId, cart.Total, cancellationToken);
        await loyalty.AddPointsAsync(orderId, cart.UserId, orderId, cancellationToken);
        await recommendations.RefreshAsync(orderId, cart.UserId, cancellationToken);
        return new CheckoutReply(orderId);
    }

    /// <summary>Waits only for the order and the payment. Other services receive an event.</summary>
    private static async Task<CheckoutReply> EventDrivenAsync(
        Cart cart,
        OrderService orders,
        PaymentService payments,
        IEventBus bus,
        CancellationToken cancellationToken)
    {
        var orderId = await orders.CreateAsync(cart, cancellationToken);
        await payments.ChargeAsync(orderId, cart.Total, cancellationToken);

        // Without the request's token: the card is charged, so a customer who closes the browser must not stop this.
        await bus.PublishAsync(new OrderPlaced(orderId, cart.UserId, cart.Total), CancellationToken.None);
        return new CheckoutReply(orderId);
    }
}
