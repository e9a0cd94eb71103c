namespace Checkout;

/// <summary>Charges cards. Every request has an idempotency key, and a key is charged once.</summary>
public interface IPaymentProvider
{
    /// <summary>Charges the card, unless this key is charged already.</summary>
    /// <returns>True if the key is charged, false if it was closed before.</returns>
    Task<bool> ChargeAsync(string idempotencyKey, Order order, CancellationToken cancellationToken);

    /// <summary>Closes a key, so that a request to charge it which arrives later is refused.</summary>
    /// <returns>True if the key is charged already; then it stays so.</returns>
    Task<bool> CloseAsync(string idempotencyKey, Order order, CancellationToken cancellationToken);
}
