namespace EventBus.Load;

/// <summary>One way of an event from a publisher over a broker to a handler: the bus, or the raw client.</summary>
internal abstract class Contender : IAsyncDisposable
{
    /// <summary>Called by the handler with each event. Set anew for each run.</summary>
    public Action Arrived { get; set; } = static () => { };

    /// <summary>Completes when the broker has accepted the event.</summary>
    public abstract Task PublishAsync(OrderPlaced @event);

    /// <summary>Completes when the broker has accepted all of them.</summary>
    public abstract Task PublishManyAsync(IReadOnlyList<OrderPlaced> events);

    public abstract ValueTask DisposeAsync();
}
