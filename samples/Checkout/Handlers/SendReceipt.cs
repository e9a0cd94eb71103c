using EventBus;

namespace Checkout;

public sealed class SendReceipt(EmailService email, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        email.SendReceiptAsync(order.OrderId, orders.DetailsOf(order).UserId, cancellationToken);
}
