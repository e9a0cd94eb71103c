using EventBus;

namespace Checkout.Demo;

/// <summary>
/// Holds the first events <c>order.placed</c> at a gate before they are published, and the later ones afterwards: they
/// are published, and the answer of the broker is lost.
/// </summary>
internal sealed class HeldBus(IEventBus bus, Gate gate, int first) : IEventBus
{
    private int publishes;

    public Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull =>
        PublishAsync(@event, null, cancellationToken);

    public async Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        var held = gate.IsOpen ? null : @event as OrderPlaced;
        var isFirst = held is not null && Interlocked.Increment(ref publishes) <= first;
        if (held is not null && isFirst)
        {
            await gate.PassAsync(held.OrderId);
        }

        await bus.PublishAsync(@event, options, cancellationToken);
        if (held is not null && !isFirst)
        {
            await gate.PassAsync(held.OrderId);
            throw new PublishException("The connection was lost before the answer.", PublishFailure.InDoubt, options?.EventId);
        }
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
