using EventBus;

namespace Checkout;

public sealed class SendReceipt(EmailService email, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
    {
        var (userId, _) = await orders.DetailsOfAsync(order, cancellationToken);
        await email.SendReceiptAsync(order.OrderId, userId, cancellationToken);
    }
}
