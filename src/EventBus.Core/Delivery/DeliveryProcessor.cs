using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Handles the deliveries and retries of one subscription: calls the steps of <see cref="DeliveryPipeline"/>, and then
/// settles the outcome. Never throws for a delivery: every outcome is settled.
/// </summary>
internal sealed class DeliveryProcessor(
    SubscriptionRuntime subscription,
    DeliveryStep pipeline,
    OutcomeSettler settler,
    RedeliveryAdmission redeliveries,
    BusServices services)
{
    /// <summary>
    /// True if a redelivered entry waits for its turn: no more entries of the subscription are to be claimed meanwhile.
    /// </summary>
    public bool RedeliveryWaits => redeliveries.AnyWaits;

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
            return new ValueTask(GuardAsync(delivery, SettleAsync(delivery, context, running, 1)));
        }

        var outcome = running.Result;
        if (outcome.Status is not (DeliveryStatus.Handled or DeliveryStatus.Skipped) || delivery.Lost.IsCancellationRequested)
        {
            return new ValueTask(GuardAsync(delivery, SettleAsync(delivery, context, new(outcome), 1)));
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
    /// Retries a failed event. Its entry is completed, recorded again, or left until its lease expires if the bus stops
    /// or another instance has taken over.
    /// </summary>
    public async Task RetryAsync(FailedEvent entry, CancellationToken lost)
    {
        using var attempt = new RedeliveredAttempt();
        if (entry.WasInterrupted)
        {
            if (await redeliveries.TryBeginAsync(entry, attempt) is not { } counted)
            {
                return;
            }

            entry = counted;
        }

        var context = new DeliveryContext(entry.Envelope, subscription);
        var state = context.EnsureState();
        (state.Attempt, state.ManualRetries, state.IsKept) = (entry.Attempts, entry.ManualRetries, true);
        state.MayBePassed = subscription.Failure.ContinueWhenBlocked;
        while (!await settler.TrySettleAsync(entry, await RunAsync(context, lost), lost))
        {
            // The state of the key has changed, so the steps run again, and with them the guard.
        }
    }

    /// <summary>
    /// Logs that a delivery could not be settled, which is a defect, because settlers must not throw. The transport
    /// keeps the delivery and redelivers it.
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
            context.EnsureState().Attempt = attempt.Number;
            await SettleAsync(delivery, context, RunAsync(context, delivery.Lost), attempt.Counted);
        }
    }

    /// <summary>Settles a delivery when its attempt has ended.</summary>
    private async Task SettleAsync(Delivery delivery, DeliveryContext context, ValueTask<DeliveryOutcome> running, int attempts)
    {
        while (!await settler.TrySettleAsync(delivery, await running, attempts))
        {
            // The state of the key has changed, so the steps run again, and with them the guard.
            running = RunAsync(context, delivery.Lost);
        }
    }

    private ValueTask<DeliveryOutcome> RunAsync(DeliveryContext context, CancellationToken lost) =>
        pipeline.InvokeAsync(context, services.StoreTime.GetTimestamp(), lost);

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
