namespace EventBus.Load;

/// <summary>
/// Carries events from a publisher to a handler: the bus, a raw channel or client, or another library.
/// </summary>
internal abstract class Contender : IAsyncDisposable
{
    /// <summary>
    /// The work of every handler for each event, on the handler's own thread. Set before each measurement, while
    /// nothing is in flight.
    /// </summary>
    public Action<OrderPlaced> Handle { get; set; } = static _ => { };

    /// <summary>Called before each measurement, so that a contender can discard the marks of handled events.</summary>
    public virtual Task ResetAsync() => Task.CompletedTask;

    /// <summary>Completes when the event has been accepted as safely as the contender's guarantee says.</summary>
    public abstract ValueTask PublishAsync(OrderPlaced @event);

    /// <summary>
    /// Publishes a list; completes when all events are accepted. A library without such a call publishes one after the
    /// other.
    /// </summary>
    public virtual async Task PublishManyAsync(IReadOnlyList<OrderPlaced> events)
    {
        foreach (var @event in events)
        {
            await PublishAsync(@event);
        }
    }

    public abstract ValueTask DisposeAsync();
}
