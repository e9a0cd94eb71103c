using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Asks the guards of a subscription, those that count first, the others in the order in which they were added: the first that does not let an event proceed decides.</summary>
/// <remarks>Those that count come first, so that the others judge only events whose turn it is: one that was skipped ahead of its turn would take the turn of all before it.</remarks>
internal sealed class OrderGuardEvaluator(IReadOnlyList<OrderGuardBinding> guards, FailurePolicy policy, FailureRecorder failures, ConcurrencyLimiter slots)
{
    private readonly OrderGuardBinding[] guards = [.. guards.OrderBy(guard => !guard.Counts)];

    /// <param name="context">The delivery.</param>
    /// <param name="envelope">The event.</param>
    /// <param name="deadline">Makes the token of guards that are asked now. The store may have kept them waiting, which is not their time.</param>
    /// <param name="lost">Cancelled when the event is another's.</param>
    public async Task<OrderEvaluation> JudgeAsync(EventContext context, Envelope envelope, Func<CancellationToken> deadline, CancellationToken lost)
    {
        // Events that nobody guards can be what guarded ones wait for, so that every event of the subscription passes here.
        if (context.Event is not { } @event || guards.Where(guard => guard.IsFor(@event.GetType())).ToList() is not { Count: > 0 } own)
        {
            return new OrderEvaluation(OrderDecision.Proceed, null, null);
        }

        var position = own.Select(guard => guard.PositionOf(@event)).FirstOrDefault(number => number is not null);
        var state = await failures.GetOrderAsync(policy, envelope, slots);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline(), lost);
        foreach (var guard in own)
        {
            var decision = await guard.DecideAsync(@event, context, state, either.Token);
            if (decision is not (OrderDecision.Proceed or OrderDecision.Defer or OrderDecision.Skip))
            {
                throw new InvalidOperationException($"A guard of {guard.EventType} decided {decision}, which is no {nameof(OrderDecision)}.");
            }

            if (decision != OrderDecision.Proceed)
            {
                return new OrderEvaluation(decision, position, decision == OrderDecision.Defer ? Wait(guard, position, state) : null);
            }
        }

        return new OrderEvaluation(OrderDecision.Proceed, position, null);
    }

    /// <summary>An event of the key was dealt with.</summary>
    public Task AdvanceAsync(Envelope envelope, long? position) => failures.AdvanceAsync(policy, envelope, envelope.KeyText ?? "", position, slots);

    /// <summary>A counting guard looks at nothing but the numbers, so that asking it again without cause is pointless.</summary>
    private static Deferred Wait(OrderGuardBinding guard, long? position, OrderState state) =>
        new(state.Stamp, position, guard.Counts ? guard.Options.Timeout : guard.Options.RecheckAfter, guard.Options.Timeout);
}
