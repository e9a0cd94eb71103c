namespace Checkout.Demo;

/// <summary>
/// Holds requests at a gate: of the first orders every second one when its card was charged, before the shop knows it;
/// and those after them before the charge.
/// </summary>
internal sealed class HeldProvider(PaymentProvider provider, Gate gate, int first) : IPaymentProvider
{
    private int requests;

    public async Task<bool> ChargeAsync(string idempotencyKey, Order order, CancellationToken cancellationToken)
    {
        var request = Interlocked.Increment(ref requests);
        if (request > first)
        {
            await gate.PassAsync(order.OrderId);
        }

        var isCharged = await provider.ChargeAsync(idempotencyKey, order, cancellationToken);
        if (request <= first && request % 2 == 0)
        {
            await gate.PassAsync(order.OrderId);
        }

        return isCharged;
    }

    public Task<bool> CloseAsync(string idempotencyKey, Order order, CancellationToken cancellationToken) =>
        provider.CloseAsync(idempotencyKey, order, cancellationToken);
}
