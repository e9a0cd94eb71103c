using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Binds an order guard of the application, which is resolved from the services of each delivery.</summary>
internal sealed class CustomGuardBinding<TEvent, TGuard>(OrderGuardOptions options) : OrderGuardBinding(options)
    where TEvent : notnull
    where TGuard : class, IOrderGuard<TEvent>
{
    public override Type EventType => typeof(TEvent);

    public override Task<OrderDecision> DecideAsync(
        object @event,
        EventContext context,
        long? highest,
        bool mayBePassed,
        CancellationToken cancellationToken) =>
        context.Services.GetRequiredService<TGuard>().DecideAsync((TEvent)@event, context, cancellationToken)
        ?? throw new InvalidOperationException($"The guard {typeof(TGuard)} returned null instead of a task.");
}
