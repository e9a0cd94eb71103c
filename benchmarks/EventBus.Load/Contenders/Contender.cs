namespace EventBus.Load;

/// <summary>One way of an event from a publisher to a handler: the bus, the raw channel or client, or another library.</summary>
internal abstract class Contender : IAsyncDisposable
{
    /// <summary>What every handler does with each event, on the handler's own thread. Set anew for each measurement, while nothing is in flight.</summary>
    public Action<OrderPlaced> Handle { get; set; } = static _ => { };

    /// <summary>What a handler waits for before it is done with an event. Only the bus and the raw contenders heed it.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    /// <summary>Completes when the event has been accepted as safely as the contender's guarantee says.</summary>
    public abstract ValueTask PublishAsync(OrderPlaced @event);

    /// <summary>One publisher has a list to publish; completes when all of it has been accepted. A library without such a call awaits one after the other.</summary>
    public virtual async Task PublishManyAsync(IReadOnlyList<OrderPlaced> events)
    {
        foreach (var @event in events)
        {
            await PublishAsync(@event);
        }
    }

    public abstract ValueTask DisposeAsync();
}
