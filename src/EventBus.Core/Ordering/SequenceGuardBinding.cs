namespace EventBus;

/// <summary>Binds a sequence guard: sequence number n + 1 of a key follows number n.</summary>
internal sealed class SequenceGuardBinding<TEvent>(Func<TEvent, long> number, long first, OrderGuardOptions options)
    : OrderGuardBinding(options)
    where TEvent : notnull
{
    public override Type EventType => typeof(TEvent);

    public override bool UsesSequence => true;

    public override long? PositionOf(object @event) => number((TEvent)@event);

    public override Task<OrderDecision> DecideAsync(
        object @event,
        EventContext context,
        long? highest,
        bool mayBePassed,
        CancellationToken cancellationToken)
    {
        var own = number((TEvent)@event);
        bool isNext;
        bool isLater;
        if (highest is { } last)
        {
            // Not last + 1, which would overflow at the highest number.
            isLater = own > last;
            isNext = isLater && own - 1 == last;
        }
        else
        {
            isLater = own > first;
            isNext = own == first;
        }

        if (isNext)
        {
            return Task.FromResult(OrderDecision.Proceed);
        }

        if (isLater)
        {
            return Task.FromResult(OrderDecision.Defer);
        }

        // Later events may have passed this one: a dead letter that an operator retries, or a stored event of a
        // subscription that continues past dead letters. It is handled although its number is too low.
        var wasPassed = context.IsManualRetry || mayBePassed;
        return Task.FromResult(wasPassed ? OrderDecision.Proceed : OrderDecision.Skip);
    }
}
