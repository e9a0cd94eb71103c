using EventBus;

namespace Checkout.Demo;

/// <summary>Holds each <c>order.placed</c> at a gate before it is published.</summary>
internal sealed class HeldBus(IEventBus bus, Gate gate) : IEventBus
{
    public Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull =>
        PublishAsync(@event, null, cancellationToken);

    public async Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        if (@event is OrderPlaced order)
        {
            await gate.PassAsync(order.OrderId);
        }

        await bus.PublishAsync(@event, options, cancellationToken);
    }

    public Task PublishManyAsync<TEvent>(
        IReadOnlyList<TEvent> events,
        PublishOptions? options = null,
        CancellationToken cancellationToken = default)
        where TEvent : notnull =>
        bus.PublishManyAsync(events, options, cancellationToken);

    public Task PublishManyAsync<TEvent>(
        IAsyncEnumerable<TEvent> events,
        PublishOptions? options = null,
        CancellationToken cancellationToken = default)
        where TEvent : notnull =>
        bus.PublishManyAsync(events, options, cancellationToken);
}
