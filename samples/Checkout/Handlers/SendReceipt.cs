using EventBus;

namespace Checkout;

public sealed class SendReceipt(IMail mail, OrderBook orders) : IEventHandler<OrderPlaced>
{
    public async Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken)
    {
        var (userId, _) = await orders.DetailsOfAsync(order, cancellationToken);
        await mail.SendReceiptAsync(order.OrderId, userId, cancellationToken);
    }
}
