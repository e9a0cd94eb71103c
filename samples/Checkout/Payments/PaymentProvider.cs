using System.Globalization;

namespace Checkout;

/// <summary>
/// Stands in for a payment provider, with the table <c>charges</c>. A key without an amount is closed.
/// </summary>
public sealed class PaymentProvider(ShopDatabase database) : IPaymentProvider
{
    public Task<bool> ChargeAsync(string idempotencyKey, Order order, CancellationToken cancellationToken) =>
        RequestAsync(idempotencyKey, order.OrderId, order.Total.ToString(CultureInfo.InvariantCulture), cancellationToken);

    public Task<bool> CloseAsync(string idempotencyKey, Order order, CancellationToken cancellationToken) =>
        RequestAsync(idempotencyKey, order.OrderId, null, cancellationToken);

    // The first request of a key decides; the update changes nothing.
    private async Task<bool> RequestAsync(string key, string orderId, string? amount, CancellationToken cancellationToken)
    {
        const string Request = """
            INSERT INTO charges (idempotency_key, order_id, amount) VALUES (@key, @order, @amount)
            ON CONFLICT (idempotency_key) DO UPDATE SET amount = amount RETURNING amount IS NOT NULL
            """;
        var isCharged = await database.QueryAsync(
            Request,
            [("@key", key), ("@order", orderId), ("@amount", amount)],
            static row => row.GetBoolean(0),
            cancellationToken);
        return isCharged.Single();
    }
}
