namespace EventBus;

/// <summary>Binds a sequence guard: sequence number n + 1 of a key follows number n.</summary>
internal sealed class SequenceGuardBinding<TEvent>(Func<TEvent, long> number, long first, OrderGuardOptions options)
    : OrderGuardBinding(options)
    where TEvent : notnull
{
    public override Type EventType => typeof(TEvent);

    public override bool Counts => true;

    public override long? PositionOf(object @event) => number((TEvent)@event);

    public override Task<OrderDecision> DecideAsync(
        object @event,
        EventContext context,
        long? highest,
        bool mayBePassed,
        CancellationToken cancellationToken)
    {
        // Compares own - 1, because last + 1 would overflow at the highest number.
        var own = number((TEvent)@event);
        var (isNext, isLater) = highest is { } last
            ? (own > last && own - 1 == last, own > last)
            : (own == first, own > first);
        if (isNext)
        {
            return Task.FromResult(OrderDecision.Proceed);
        }

        if (isLater)
        {
            return Task.FromResult(OrderDecision.Defer);
        }

        // Later events may have passed a dead letter that an operator retries, and a stored event of a subscription
        // that continues past dead letters. Such an event is handled now and not skipped, although its number is too
        // low.
        var wasPassed = context.IsManualRetry || mayBePassed;
        return Task.FromResult(wasPassed ? OrderDecision.Proceed : OrderDecision.Skip);
    }
}
