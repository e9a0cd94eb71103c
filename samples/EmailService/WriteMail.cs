using EventBus;

namespace EmailService;

/// <summary>Writes a mail for each event that has one. Other events of an order are ignored.</summary>
public sealed class WriteMail : IEventHandler<object>
{
    public Task HandleAsync(object order, EventContext context, CancellationToken cancellationToken)
    {
        var (orderId, text) = order switch
        {
            OrderPlaced placed => (placed.OrderId, $"receipt for {placed.UserId ?? "a customer"}: {placed.Total:0.00}"),
            OrderShipped shipped => (shipped.OrderId, "your parcel is on its way"),
            _ => (null, null),
        };
        if (orderId is not null && text is not null)
        {
            // Row and mark are one commit: one mail for each event, also if this process is killed at any point.
            context.OnCommit((transaction, token) => MailTable.InsertAsync(transaction, orderId, text, token));
        }

        return Task.CompletedTask;
    }
}
