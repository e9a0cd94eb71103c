using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Handles the deliveries and retries of one subscription: calls the steps of <see cref="DeliveryPipeline"/>, and then
/// settles the outcome.
/// </summary>
/// <remarks>
/// Handling a delivery never throws: an exception is logged, and the transport redelivers the event.
/// </remarks>
internal sealed class DeliveryProcessor(
    SubscriptionRuntime subscription,
    DeliveryStep pipeline,
    OutcomeSettler settler,
    RedeliveryAdmission redeliveries,
    BusServices services)
{
    // A queue of a broker counts the attempts of its messages itself, so that such a wait would count as one. In an
    // ordered subscription the later events of the key would be parked, and beyond MaxParkedPerKey become dead letters.
    private readonly bool yieldsToClaims =
        subscription.Claims is not null && !redeliveries.ClaimsAreAttempts && !subscription.FailurePolicy.Ordered;

    /// <inheritdoc cref="RedeliveryAdmission.EntryWaits"/>
    public bool RedeliveredEntryWaits => redeliveries.EntryWaits;

    /// <summary>Handles a new delivery.</summary>
    /// <param name="delivery">The delivery; settled when the returned task completes.</param>
    /// <param name="now">The current time, as a timestamp of the clock of the bus.</param>
    public ValueTask HandleAsync(in Delivery delivery, long now)
    {
        var context = new DeliveryContext(delivery.Envelope, subscription);
        if (delivery.EarlierDeliveries > 0 || delivery.Lost.IsCancellationRequested)
        {
            return new ValueTask(GuardAsync(delivery, HandleAgainAsync(delivery, context)));
        }

        var running = pipeline.InvokeAsync(context, now, delivery.Lost);
        if (!running.IsCompletedSuccessfully)
        {
            return new ValueTask(GuardAsync(delivery, SettleAsync(delivery, context, running, attempts: 1)));
        }

        var outcome = running.Result;
        if (outcome.Status is not (DeliveryStatus.Handled or DeliveryStatus.Skipped) || delivery.Lost.IsCancellationRequested)
        {
            return new ValueTask(GuardAsync(delivery, SettleAsync(delivery, context, new(outcome), attempts: 1)));
        }

        try
        {
            return delivery.AckAsync();
        }
        catch (Exception exception)
        {
            ReportUnsettled(delivery, exception);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>
    /// Retries a failed event, and then settles its entry (<see cref="OutcomeSettler"/>). If the entry was interrupted,
    /// its process may have ended because of it: then the retry first waits for its turn.
    /// </summary>
    /// <param name="entry">The claimed entry.</param>
    /// <param name="lost">Cancelled when the claim is lost.</param>
    public async Task RetryAsync(FailedEvent entry, CancellationToken lost)
    {
        using var attempt = new RedeliveredAttempt();
        if (yieldsToClaims && InterruptedAttempts.Precede(entry))
        {
            entry = InterruptedAttempts.Restore(entry);
        }

        if (entry.WasInterrupted)
        {
            var admitted = await redeliveries.TryBeginAsync(entry, attempt);
            if (admitted is null)
            {
                return;
            }

            entry = admitted;
        }

        var context = new DeliveryContext(entry.Envelope, subscription);
        var state = context.EnsureState();
        state.Attempt = entry.Attempts;
        state.ManualRetries = entry.ManualRetries;
        state.IsStoredEntry = true;
        state.YieldsToClaims = yieldsToClaims;
        state.MayBePassed = subscription.FailurePolicy.ContinueWhenBlocked;
        var outcome = await RunAsync(context, lost);
        while (!await settler.TrySettleAsync(entry, outcome, lost))
        {
            // The state of the key has changed, so the steps run again, and with them the guard.
            outcome = await RunAsync(context, lost);
        }
    }

    /// <summary>
    /// Logs that a delivery could not be settled. That is a programming error, because settling must not throw. The
    /// transport keeps the delivery and redelivers it.
    /// </summary>
    public void ReportUnsettled(in Delivery delivery, Exception exception) =>
        services.Log.SettleFailed(subscription.Name, delivery.Envelope.Name, delivery.Envelope.Id, exception);

    /// <summary>Handles an event that was delivered before, or lost while it was only buffered.</summary>
    private async Task HandleAgainAsync(Delivery delivery, DeliveryContext context)
    {
        if (delivery.Lost.IsCancellationRequested)
        {
            // The delivery was lost: its new owner handles the event.
            await delivery.ReleaseAsync();
            return;
        }

        using var attempt = new RedeliveredAttempt();
        if (await redeliveries.TryBeginAsync(delivery, attempt))
        {
            var state = context.EnsureState();
            state.Attempt = attempt.Number;
            state.YieldsToClaims = yieldsToClaims;
            await SettleAsync(delivery, context, RunAsync(context, delivery.Lost), attempt.ChargedAttempts);
        }
    }

    /// <summary>Settles a delivery when its attempt has ended.</summary>
    private async Task SettleAsync(Delivery delivery, DeliveryContext context, ValueTask<DeliveryOutcome> running, int attempts)
    {
        var outcome = await running;
        while (!await settler.TrySettleAsync(delivery, outcome, attempts))
        {
            // The state of the key has changed, so the steps run again, and with them the guard.
            outcome = await RunAsync(context, delivery.Lost);
        }
    }

    private ValueTask<DeliveryOutcome> RunAsync(DeliveryContext context, CancellationToken lost) =>
        pipeline.InvokeAsync(context, services.StoreTime.GetTimestamp(), lost);

    /// <summary>Waits until a delivery is settled. Does not throw.</summary>
    private async Task GuardAsync(Delivery delivery, Task settling)
    {
        try
        {
            await settling;
        }
        catch (Exception) when (services.Abort.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
        }
        catch (Exception exception)
        {
            ReportUnsettled(delivery, exception);
        }
    }
}
