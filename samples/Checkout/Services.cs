namespace Checkout;

// Seven services that a shop calls over the network. These only wait; a real one would send a request.

public sealed class OrderService(Catalog catalog, OrderBook orders, TimeProvider time, ILogger<OrderService> log)
    : RemoteService("create order", TimeSpan.FromMilliseconds(200), time, log)
{
    /// <summary>
    /// Checks the stock and places an order, which stands when it is confirmed. A request with a key that was used
    /// before gets the order of that request.
    /// </summary>
    /// <exception cref="RefusedException">
    /// The cart is empty or has no user, an item has no product or is not in stock, the key is empty or too long, or it
    /// belongs to another cart.
    /// </exception>
    public async Task<Order> CreateAsync(Cart cart, string? idempotencyKey, CancellationToken cancellationToken)
    {
        if (idempotencyKey is { Length: 0 or > 255 })
        {
            throw new RefusedException(StatusCodes.Status400BadRequest, "an idempotency key has 1 to 255 characters");
        }

        if (idempotencyKey is not null && await orders.FindAsync(idempotencyKey, cancellationToken) is { } known)
        {
            return OfCart(known, cart);
        }

        var total = catalog.TotalOf(cart);
        var order = await orders.PlaceAsync(idempotencyKey, cart, total, Time.GetUtcNow(), cancellationToken);
        await CallAsync(order.OrderId, cancellationToken);
        return OfCart(order, cart);
    }

    /// <summary>Makes an order that is paid stand, once. If it has an event, that is to be published.</summary>
    public Task ConfirmAsync(Order order, bool hasEvent, CancellationToken cancellationToken) =>
        orders.ConfirmAsync(order.OrderId, hasEvent, cancellationToken);

    private static Order OfCart(Order order, Cart cart) =>
        order.UserId == cart.UserId && cart.Items is not null && order.Items.SequenceEqual(cart.Items)
            ? order
            : throw new RefusedException(StatusCodes.Status422UnprocessableEntity, "the idempotency key belongs to another cart");
}

public sealed class PaymentService(IPaymentProvider provider, OrderBook orders, TimeProvider time, ILogger<PaymentService> log)
    : RemoteService("take payment", TimeSpan.FromMilliseconds(800), time, log)
{
    private volatile bool declinesCards;

    public bool DeclinesCards
    {
        get => declinesCards;
        set => declinesCards = value;
    }

    /// <summary>Charges the card for a pending order. The provider charges the key of an order once.</summary>
    /// <exception cref="RefusedException">The card is declined. The order is dropped.</exception>
    public async Task ChargeAsync(Order order, CancellationToken cancellationToken)
    {
        if (order.State != OrderState.Pending)
        {
            return;
        }

        // Closed before it is dropped, so that another request with the same key does not charge an order that is gone.
        if (declinesCards && !await CloseAsync(order, cancellationToken))
        {
            await orders.DropAsync(order.OrderId, cancellationToken);
            throw new RefusedException(StatusCodes.Status402PaymentRequired, "the card is declined");
        }

        await CallAsync(order.OrderId, cancellationToken);
        if (!await provider.ChargeAsync(KeyOf(order), order, cancellationToken))
        {
            throw new RefusedException(StatusCodes.Status409Conflict, "the order was dropped, and its card was not charged");
        }
    }

    /// <summary>Asks the provider whether the card was charged. If it was not, it never will be.</summary>
    /// <returns>True if the card was charged.</returns>
    public Task<bool> CloseAsync(Order order, CancellationToken cancellationToken) =>
        provider.CloseAsync(KeyOf(order), order, cancellationToken);

    private static string KeyOf(Order order) => $"order-{order.OrderId}";
}

/// <summary>Sends mails to customers. A test replaces it (samples/Checkout.Tests).</summary>
public interface IMail
{
    Task SendReceiptAsync(string orderId, string userId, CancellationToken cancellationToken);
}

public sealed class EmailService(TimeProvider time, ILogger<EmailService> log)
    : RemoteService("send receipt", TimeSpan.FromMilliseconds(3000), time, log), IMail
{
    public Task SendReceiptAsync(string orderId, string userId, CancellationToken cancellationToken) =>
        CallAsync(orderId, cancellationToken);
}

public sealed class StockService(TimeProvider time, ILogger<StockService> log)
    : RemoteService("reserve stock", TimeSpan.FromMilliseconds(500), time, log)
{
    public Task ReserveAsync(Order order, CancellationToken cancellationToken) => CallAsync(order.OrderId, cancellationToken);
}

public sealed class AnalyticsService(TimeProvider time, ILogger<AnalyticsService> log)
    : RemoteService("record sale", TimeSpan.FromMilliseconds(400), time, log)
{
    public Task RecordSaleAsync(string orderId, decimal total, CancellationToken cancellationToken) =>
        CallAsync(orderId, cancellationToken);
}

public sealed class LoyaltyService(TimeProvider time, ILogger<LoyaltyService> log)
    : RemoteService("add loyalty points", TimeSpan.FromMilliseconds(600), time, log)
{
    /// <summary>
    /// Adds points. A service that is called at least once takes a key, by which it recognizes a repeated call.
    /// </summary>
    public Task AddPointsAsync(string orderId, string userId, string idempotencyKey, CancellationToken cancellationToken) =>
        CallAsync(orderId, cancellationToken);
}

public sealed class RecommendationService(TimeProvider time, ILogger<RecommendationService> log)
    : RemoteService("refresh recommendations", TimeSpan.FromMilliseconds(1200), time, log)
{
    public Task RefreshAsync(string orderId, string userId, CancellationToken cancellationToken) => CallAsync(orderId, cancellationToken);
}

public static class ShopServices
{
    public static void AddShopServices(this IServiceCollection services, Settings settings, string file)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddRemote<OrderService>();
        services.AddRemote<PaymentService>();
        services.AddRemote<EmailService>();
        services.AddRemote<StockService>();
        services.AddRemote<AnalyticsService>();
        services.AddRemote<LoyaltyService>();
        services.AddRemote<RecommendationService>();
        services.AddSingleton(_ => new ShopDatabase(file));
        services.AddSingleton<OrderBook>();
        services.AddSingleton<Fulfilments>();
        services.AddSingleton<IPaymentProvider, PaymentProvider>();
        services.AddSingleton<OrderRelay>().AddHostedService(provider => provider.GetRequiredService<OrderRelay>());
        services.AddSingleton<Catalog>();
        services.AddSingleton<DataWarehouse>();
        services.AddSingleton<IMail>(provider => provider.GetRequiredService<EmailService>());
        services.AddSingleton<IPager, LogPager>();
        services.AddSingleton<IPointsLedger>(
            _ => settings.Store == "sqlite" ? new PointsInSqlite($"Data Source={file}") : new PointsInMemory());
    }

    private static void AddRemote<T>(this IServiceCollection services)
        where T : RemoteService =>
        services.AddSingleton<T>().AddSingleton<RemoteService>(provider => provider.GetRequiredService<T>());
}
