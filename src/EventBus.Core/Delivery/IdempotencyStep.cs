using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Ensures that only one attempt of the subscription handles an event: claims the event before the handler, and marks
/// it as handled afterwards, in one commit with the events and effects of the handler.
/// </summary>
internal sealed class IdempotencyStep(
    SubscriptionRuntime subscription, EventClaims claims, HandlerDeadlines deadlines, BusServices services, DeliveryStep next)
        : DeliveryStep
{
    private readonly LocalClaims local = claims.Local;

    public override ValueTask<DeliveryOutcome> InvokeAsync(DeliveryContext context, long now, CancellationToken cancellationToken)
    {
        if (!local.TryClaim(context.Envelope, out var fencingToken))
        {
            return ClaimAsync(context, cancellationToken);
        }

        // Only a store of this process claims synchronously. It needs no lease and has no transactions.
        var running = next.InvokeAsync(context, now, cancellationToken);
        if (!running.IsCompletedSuccessfully || context.State is not null)
        {
            return CompleteAsync(context, fencingToken, running);
        }

        local.Complete(context.Envelope, fencingToken);
        return running;
    }

    private async ValueTask<DeliveryOutcome> CompleteAsync(DeliveryContext context, long fencingToken, ValueTask<DeliveryOutcome> running)
    {
        // The fencing token stays that of this attempt, even if a later attempt has a higher one: a handler that was
        // abandoned may still read it.
        context.KeepFencingToken(fencingToken);
        var committed = false;
        try
        {
            var outcome = await running;
            if (outcome.Status != DeliveryStatus.Handled)
            {
                return outcome;
            }

            committed = await local.CompleteAsync(context.Envelope, fencingToken, context.State?.Outbox ?? []);
            return committed ? outcome : DeliveryOutcome.Interrupted;
        }
        finally
        {
            if (!committed)
            {
                await local.ReleaseAsync(context.Envelope, fencingToken);
            }
        }
    }

    private async ValueTask<DeliveryOutcome> ClaimAsync(DeliveryContext context, CancellationToken lost)
    {
        // FollowUpStep disposes the claim, after it has sent the events of the handler.
        var state = context.EnsureState();
        var claim = claims.Begin(context.Envelope, context.Event, isDelivery: !state.IsStoredEntry);
        state.Claim = claim;
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(deadlines.FromNow(), lost);
        ProcessedClaim found;
        try
        {
            found = await (state.YieldsToClaims
                ? claims.TryClaimAsync(claim, subscription.Slots, waiting.Token)
                : claims.ClaimAsync(claim, subscription.Slots, waiting.Token));
        }
        catch (OperationCanceledException) when (waiting.IsCancellationRequested)
        {
            // The handler was not started: the wait for another attempt is not counted as an attempt.
            return DeliveryOutcome.Interrupted;
        }

        if (found.State == ProcessedState.InProgress)
        {
            return DeliveryOutcome.ClaimedElsewhere(new ClaimedElsewhere(state.Attempt - 1, claims.Recheck));
        }

        state.FencingToken = found.FencingToken;
        state.DeduplicationKey = claim.Key.Key;
        if (found.State != ProcessedState.Done)
        {
            return await HandleAsync(context, state, claim, lost);
        }

        // A fingerprint is 0 if it is unknown, or if copies may differ.
        if (found.Fingerprint != 0 && claim.Fingerprint != 0 && found.Fingerprint != claim.Fingerprint)
        {
            return DeliveryOutcome.Rejected(new Rejection(
                DeadLetterReason.IdReused,
                $"An event with the id '{context.EventId}' but other content was handled before. Its publisher must give every event its "
                    + "own id."));
        }

        state.Outbox = [.. found.Outbox];
        return DeliveryOutcome.Skipped;
    }

    /// <summary>Handles a claimed event while its lease is renewed, and then marks it as handled.</summary>
    private async ValueTask<DeliveryOutcome> HandleAsync(
        DeliveryContext context, DeliveryState state, EventClaim claim, CancellationToken lost)
    {
        using var lease = claims.Renew(claim);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(lost, lease.Lost);
        var outcome = await next.InvokeAsync(context, services.StoreTime.GetTimestamp(), linked.Token);
        if (outcome.Status == DeliveryStatus.Handled)
        {
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(linked.Token, state.Deadline);
            outcome = await CommitAsync(state, claim, ending.Token);
            if (outcome.Status == DeliveryStatus.Handled)
            {
                // The mark counts even if the lease was lost in the meantime: no other attempt runs the handler now.
                return outcome;
            }
        }

        await claims.ReleaseAsync(claim, subscription.Slots);

        // If another attempt has taken the claim over, its outcome counts. This delivery is interrupted, and its
        // redelivery finds that outcome.
        var isTaken = lease.Lost.IsCancellationRequested && !lost.IsCancellationRequested && !state.Deadline.IsCancellationRequested;
        return isTaken ? DeliveryOutcome.Interrupted : outcome;
    }

    private async ValueTask<DeliveryOutcome> CommitAsync(DeliveryState state, EventClaim claim, CancellationToken ending)
    {
        try
        {
            if (await claims.CompleteAsync(claim, state.Outbox ?? [], state.Effects ?? [], subscription.Slots, ending))
            {
                return DeliveryOutcome.Handled;
            }

            ending.ThrowIfCancellationRequested();
            return DeliveryOutcome.Interrupted;
        }
        catch (StoreRefusedException exception)
        {
            // The handler has run: another attempt would not help, and might repeat its external effects.
            return DeliveryOutcome.Rejected(new Rejection(
                DeadLetterReason.Unstorable,
                $"Its handler succeeded, but the store cannot mark the event as handled. {ExceptionText.MessageOf(exception)}"));
        }
        catch (OperationCanceledException exception) when (ending.IsCancellationRequested)
        {
            return services.Abort.IsCancellationRequested
                ? DeliveryOutcome.Interrupted
                : DeliveryOutcome.Failed(deadlines.Exceeded(exception));
        }
        catch (Exception exception)
        {
            return DeliveryOutcome.Failed(exception);
        }
    }
}
