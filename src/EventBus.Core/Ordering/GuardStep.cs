using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>One guard of one event type.</summary>
internal abstract class GuardStep(OrderGuardOptions options)
{
    public abstract Type EventType { get; }

    public OrderGuardOptions Options => options;

    /// <summary>Whether it judges events of a type: those of its own, or all that are assignable to an interface or an abstract class.</summary>
    public bool IsFor(Type type) => EventType == type || (EventType.IsAbstract && EventType.IsAssignableFrom(type));

    /// <summary>It decides by numbers alone.</summary>
    public virtual bool Counts => false;

    /// <summary>The event's number, where the guard counts.</summary>
    public virtual long? PositionOf(object @event) => null;

    public abstract Task<OrderDecision> DecideAsync(object @event, EventContext context, OrderState state, CancellationToken cancellationToken);
}

/// <summary>A guard of the application's.</summary>
internal sealed class CustomGuard<TEvent, TGuard>(OrderGuardOptions options) : GuardStep(options)
    where TEvent : notnull
    where TGuard : class, IOrderGuard<TEvent>
{
    public override Type EventType => typeof(TEvent);

    public override Task<OrderDecision> DecideAsync(object @event, EventContext context, OrderState state, CancellationToken cancellationToken) =>
        context.Services.GetRequiredService<TGuard>().DecideAsync((TEvent)@event, context, cancellationToken)
        ?? throw new InvalidOperationException($"The guard {typeof(TGuard)} returned null instead of a task.");
}

/// <summary>The guard that counts: number n + 1 of a key follows number n.</summary>
internal sealed class SequenceGuard<TEvent>(Func<TEvent, long> number, long first, OrderGuardOptions options) : GuardStep(options)
    where TEvent : notnull
{
    public override Type EventType => typeof(TEvent);

    public override bool Counts => true;

    public override long? PositionOf(object @event) => number((TEvent)@event);

    public override Task<OrderDecision> DecideAsync(object @event, EventContext context, OrderState state, CancellationToken cancellationToken)
    {
        // Not "last + 1": nothing follows the highest number.
        var own = number((TEvent)@event);
        var (isNext, isLater) = state.Position is { } last ? (own > last && own - 1 == last, own > last) : (own == first, own > first);
        return Task.FromResult(
            isNext ? OrderDecision.Proceed
            : isLater ? OrderDecision.Defer

            // What people replay was given up before, and others went on without it, as they do past a dead letter where that was asked for: it is not to be swallowed now.
            : context.IsReplay || context.MayBePassed ? OrderDecision.Proceed
            : OrderDecision.Skip);
    }
}
