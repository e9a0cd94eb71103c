namespace EventBus.Benchmarks;

/// <summary>Counts events.</summary>
internal sealed class CountingHandler(Batch batch) : IEventHandler<OrderPlaced>
{
    public Task HandleAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
    {
        batch.Count();
        return Task.CompletedTask;
    }
}
