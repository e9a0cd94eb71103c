namespace Checkout;

// Seven services that a shop calls over the network. These only wait; a real one would send a request.

public sealed class OrderService(Catalog catalog, OrderBook orders, TimeProvider time, ILogger<OrderService> log)
    : RemoteService("create order", TimeSpan.FromMilliseconds(200), time, log)
{
    private int lastOrder = 1000;

    /// <summary>Checks the stock and creates an order, which stands when it is confirmed.</summary>
    /// <exception cref="RefusedException">The cart is empty, or an item is not in stock.</exception>
    public async Task<Order> CreateAsync(Cart cart, CancellationToken cancellationToken)
    {
        var total = catalog.TotalOf(cart.Items);
        var orderId = $"{Interlocked.Increment(ref lastOrder)}";
        await CallAsync(orderId, cancellationToken);
        return new Order(orderId, cart.UserId, cart.Items, total, Time.GetUtcNow());
    }

    /// <summary>Makes an order that is paid stand.</summary>
    public void Confirm(Order order) => orders.Add(order);
}

public sealed class PaymentService(TimeProvider time, ILogger<PaymentService> log)
    : RemoteService("take payment", TimeSpan.FromMilliseconds(800), time, log)
{
    private volatile bool declinesCards;

    public bool DeclinesCards
    {
        get => declinesCards;
        set => declinesCards = value;
    }

    /// <exception cref="RefusedException">The card is declined.</exception>
    public Task ChargeAsync(Order order, CancellationToken cancellationToken) =>
        declinesCards
            ? throw new RefusedException(StatusCodes.Status402PaymentRequired, "the card is declined")
            : CallAsync(order.OrderId, cancellationToken);
}

public sealed class EmailService(TimeProvider time, ILogger<EmailService> log)
    : RemoteService("send receipt", TimeSpan.FromMilliseconds(3000), time, log)
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
        services.AddSingleton<OrderService>();
        services.AddSingleton<PaymentService>();
        services.AddSingleton<EmailService>();
        services.AddSingleton<StockService>();
        services.AddSingleton<AnalyticsService>();
        services.AddSingleton<LoyaltyService>();
        services.AddSingleton<RecommendationService>();
        services.AddSingleton<OrderBook>();
        services.AddSingleton<Catalog>();
        services.AddSingleton<DataWarehouse>();
        services.AddSingleton<IPager, LogPager>();
        services.AddSingleton<IPointsLedger>(
            _ => settings.Store == "sqlite" ? new PointsInSqlite($"Data Source={file}") : new PointsInMemory());
    }
}
