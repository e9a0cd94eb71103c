using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Evaluates the guards of a subscription: first those that use sequence numbers, then the others in the order in which
/// they were added. The first guard that does not return <see cref="OrderDecision.Proceed"/> decides.
/// </summary>
/// <remarks>
/// The sequence guards come first, so that the others evaluate only events whose turn it is. Otherwise, an event that
/// another guard skips ahead of its turn would advance the sequence past all events before it.
/// </remarks>
internal sealed class OrderGuardEvaluator(
    IReadOnlyList<OrderGuardBinding> guards,
    FailurePolicy policy,
    OrderTracker order,
    ConcurrencyLimiter slots)
{
    // A stable sort: guards of the same kind keep their order.
    private readonly OrderGuardBinding[] guards = [.. guards.OrderBy(guard => !guard.UsesSequence)];

    /// <summary>Calls the guards that apply to an event, and combines their decisions.</summary>
    /// <param name="context">The delivery.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="mayBePassed">True if later events of the key do not wait for this event.</param>
    /// <param name="deadline">
    /// Creates the token for guards that run now. Time spent waiting for the store does not count.
    /// </param>
    /// <param name="lost">Cancelled when this instance loses the lease of the event.</param>
    public async Task<OrderEvaluation> EvaluateAsync(
        EventContext context,
        Envelope envelope,
        bool mayBePassed,
        Func<CancellationToken> deadline,
        CancellationToken lost)
    {
        var @event = context.Event;
        List<OrderGuardBinding> applicable = @event is null ? [] : [.. guards.Where(guard => guard.IsFor(@event.GetType()))];
        if (@event is null || applicable.Count == 0)
        {
            return new OrderEvaluation(OrderDecision.Proceed, null, null);
        }

        var position = applicable.Select(guard => guard.PositionOf(@event)).FirstOrDefault(number => number is not null);
        if (envelope.Replay != 0)
        {
            // Later events of the key were handled before, so that a guard would skip it as outdated.
            return new OrderEvaluation(OrderDecision.Proceed, position, null);
        }

        var state = await order.GetAsync(policy, envelope, slots);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(deadline(), lost);
        foreach (var guard in applicable)
        {
            var decision = await guard.DecideAsync(@event, context, state.Position, mayBePassed, linked.Token);
            if (decision is not (OrderDecision.Proceed or OrderDecision.Defer or OrderDecision.Skip))
            {
                throw new InvalidOperationException(
                    $"A guard of {guard.EventType} decided {decision}, which is not a value of {nameof(OrderDecision)}.");
            }

            if (decision != OrderDecision.Proceed)
            {
                var wait = decision == OrderDecision.Defer ? CreateWait(guard, position, state.Stamp) : null;
                return new OrderEvaluation(decision, position, wait);
            }
        }

        return new OrderEvaluation(OrderDecision.Proceed, position, null);
    }

    /// <summary>
    /// Records that an event of the key was handled or skipped. Call it also for an event without a guard, because
    /// guarded events may wait for it.
    /// </summary>
    public Task AdvanceAsync(Envelope envelope, long? position) =>
        order.AdvanceAsync(policy, envelope, envelope.Key ?? "", position, slots);

    /// <summary>
    /// Creates the wait of a deferred event. The decision of a sequence guard changes only when an event of the key is
    /// handled, so the guard is not called again at an interval.
    /// </summary>
    private static Deferred CreateWait(OrderGuardBinding guard, long? position, long stamp)
    {
        var recheckAfter = guard.UsesSequence ? guard.Options.Timeout : guard.Options.RecheckAfter;
        return new Deferred(stamp, recheckAfter, guard.Options.Timeout) { Position = position };
    }
}
