namespace EventBus.Load;

/// <summary>One way of an event from a publisher to a handler: the bus, the raw channel or client, or another library.</summary>
internal abstract class Contender : IAsyncDisposable
{
    /// <summary>What every handler does with each event, on the handler's own thread. Set anew for each measurement, while nothing is in flight.</summary>
    public Action<OrderPlaced> Handle { get; set; } = static _ => { };

    /// <summary>Called before each measurement, by which a contender that remembers what it has handled forgets it.</summary>
    public virtual Task ResetAsync() => Task.CompletedTask;

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
