namespace EventBus.Benchmarks;

/// <summary>Counts, once it is let go. The few events that are begun before hold every slot of the subscription; all others are handled at once.</summary>
internal sealed class HeldHandler(Batch batch, Task gate) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
    {
        if (!gate.IsCompleted)
        {
            return CountLaterAsync();
        }

        batch.Count();
        return Task.CompletedTask;
    }

    private async Task CountLaterAsync()
    {
        await gate;
        batch.Count();
    }
}
