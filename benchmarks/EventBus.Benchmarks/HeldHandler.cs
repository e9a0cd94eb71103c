namespace EventBus.Benchmarks;

/// <summary>
/// Counts events after it is started. The first events wait and occupy the whole concurrency of the subscription; all
/// others are then handled at once.
/// </summary>
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
