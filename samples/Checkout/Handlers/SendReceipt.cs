using EventBus;

namespace Checkout;

public sealed class SendReceipt(EmailService email) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        email.SendReceiptAsync(order.OrderId, order.UserId, cancellationToken);
}
