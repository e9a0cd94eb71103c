using EventBus;

namespace Checkout;

/// <summary>Takes every event of an order, also events that this program does not know.</summary>
public sealed class FillWarehouse(DataWarehouse warehouse) : IEventHandler<object>
{
    public Task HandleAsync(object order, EventContext context, CancellationToken cancellationToken)
    {
        warehouse.Add(context.EventName);
        return Task.CompletedTask;
    }
}
