using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Settles an attempt by its outcome: acknowledges the delivery or completes the entry, records it in the store, or
/// releases it.
/// </summary>
internal sealed class OutcomeSettler(SubscriptionRuntime subscription, FailureRecorder failures)
{
    /// <summary>Settles a delivery.</summary>
    /// <param name="delivery">The delivery.</param>
    /// <param name="outcome">The outcome of its attempt.</param>
    /// <param name="attempts">The number of attempts including this one.</param>
    /// <returns>
    /// False if the guard of the event must be called again, because the state of its key has changed.
    /// </returns>
    public async ValueTask<bool> TrySettleAsync(Delivery delivery, DeliveryOutcome outcome, int attempts)
    {
        if (delivery.Lost.IsCancellationRequested || outcome.Status == DeliveryStatus.Interrupted)
        {
            await delivery.ReleaseAsync();
            return true;
        }

        var envelope = delivery.Envelope;
        if (outcome.Failure is { } failure)
        {
            // A rejection does not count as an attempt.
            var isRejected = outcome.Status == DeliveryStatus.Rejected;
            var counted = isRejected ? attempts - 1 : attempts;
            var entry = subscription.FailurePolicy.Fresh(envelope, counted) with { Position = failure.Position };
            if (isRejected && envelope.Key is null)
            {
                // The event belongs to no order, so it does not block other events.
                entry = entry with { LineKey = null };
            }

            if (!await failures.RecordAsync(subscription.FailurePolicy, entry, failure, subscription.Slots))
            {
                return false;
            }
        }
        else if (attempts > 1)
        {
            await subscription.Attempts.ForgetAsync(subscription.FailurePolicy, envelope, subscription.Slots);
        }

        await delivery.AckAsync();
        return true;
    }

    /// <summary>
    /// Settles a claimed entry: completes it, records it again, or releases it if its attempt was interrupted. Does
    /// nothing if another instance has taken over.
    /// </summary>
    /// <param name="entry">The entry.</param>
    /// <param name="outcome">The outcome of its attempt.</param>
    /// <param name="lost">Cancelled when the claim is lost.</param>
    /// <returns>
    /// False if the guard of the event must be called again, because the state of its key has changed.
    /// </returns>
    public async ValueTask<bool> TrySettleAsync(FailedEvent entry, DeliveryOutcome outcome, CancellationToken lost)
    {
        if (lost.IsCancellationRequested)
        {
            return true;
        }

        if (outcome.Status == DeliveryStatus.Interrupted)
        {
            await failures.Releaser.ReleaseAtStopAsync(entry);
            return true;
        }

        if (outcome.Failure is not { } failure)
        {
            await failures.CompleteAsync(subscription.FailurePolicy, entry, subscription.Slots);
            return true;
        }

        // Earlier concurrent attempts do not count: this attempt did not end the process, so another event probably
        // ended it in those attempts.
        var attempts = entry.Attempts - entry.Concurrent;
        if (outcome.Status == DeliveryStatus.Rejected)
        {
            // A rejection does not count as an attempt, but the claim has counted one.
            attempts--;
        }

        var failed = entry with { Position = failure.Position ?? entry.Position, Attempts = attempts, Concurrent = 0 };
        return await failures.RecordAsync(subscription.FailurePolicy, failed, failure, subscription.Slots);
    }
}
