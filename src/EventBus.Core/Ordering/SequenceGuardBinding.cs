using EventBus.Stores;

namespace EventBus;

/// <summary>The guard that counts: number n + 1 of a key follows number n.</summary>
internal sealed class SequenceGuardBinding<TEvent>(Func<TEvent, long> number, long first, OrderGuardOptions options) : OrderGuardBinding(options)
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
            : context.IsManualRetry || context.MayBePassed ? OrderDecision.Proceed
            : OrderDecision.Skip);
    }
}
