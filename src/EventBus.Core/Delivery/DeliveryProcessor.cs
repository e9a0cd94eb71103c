using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Handles the deliveries and retries of one subscription from the first step to their settlement. Never throws: every
/// outcome is settled.
/// </summary>
internal sealed class DeliveryProcessor(
    SubscriptionRuntime subscription, AttemptRunner attempts, RedeliveryProcessor redeliveries, ILogger log, CancellationToken abort)
{
    /// <summary>
    /// True if a redelivered entry waits for its turn: no more entries of the subscription are to be claimed meanwhile.
    /// </summary>
    public bool RedeliveryWaits => redeliveries.AnyWaits;

    /// <summary>Handles a new delivery.</summary>
    /// <param name="delivery">The delivery; settled when the returned task completes.</param>
    public ValueTask HandleAsync(in Delivery delivery)
    {
        var context = new DeliveryContext(delivery.Envelope, subscription);
        if (delivery.EarlierDeliveries > 0 || delivery.Lost.IsCancellationRequested)
        {
            return new ValueTask(HandleAsync(delivery, context));
        }

        var running = attempts.Start(context, delivery.Lost);
        if (!running.IsCompletedSuccessfully)
        {
            return new ValueTask(SettleAsync(delivery, attempts.SettleAsync(delivery, context, running, 1)));
        }

        var outcome = running.Result;
        if (outcome.Status is not (DeliveryStatus.Handled or DeliveryStatus.Skipped) || delivery.Lost.IsCancellationRequested)
        {
            return new ValueTask(SettleAsync(delivery, attempts.SettleAsync(delivery, context, new(outcome), 1)));
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
    public Task RetryAsync(FailedEvent entry, CancellationToken lost) =>
        entry.WasInterrupted ? redeliveries.RetryAsync(entry, lost) : attempts.RetryAsync(entry, lost);

    /// <summary>
    /// Logs a defect: settlers must not throw. The delivery stays with the transport and is redelivered.
    /// </summary>
    public void ReportUnsettled(in Delivery delivery, Exception exception) =>
        log.SettleFailed(subscription.Name, delivery.Envelope.Name, delivery.Envelope.Id, exception);

    private Task HandleAsync(Delivery delivery, DeliveryContext context) => SettleAsync(
        delivery,

        // One that was lost while it was only buffered is handled by its new owner.
        delivery.Lost.IsCancellationRequested ? delivery.ReleaseAsync().AsTask() : redeliveries.HandleAsync(delivery, context));

    private async Task SettleAsync(Delivery delivery, Task settling)
    {
        try
        {
            await settling;
        }
        catch (Exception) when (abort.IsCancellationRequested)
        {
            await delivery.ReleaseAsync();
        }
        catch (Exception exception)
        {
            ReportUnsettled(delivery, exception);
        }
    }
}
