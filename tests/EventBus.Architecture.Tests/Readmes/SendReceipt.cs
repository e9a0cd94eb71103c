namespace EventBus.Architecture.Tests.Readmes;

#region handler
public sealed class SendReceipt : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced order, EventContext context, CancellationToken cancellationToken) =>
        context.PublishAsync(new ReceiptSent(order.OrderId), cancellationToken);
}
#endregion
