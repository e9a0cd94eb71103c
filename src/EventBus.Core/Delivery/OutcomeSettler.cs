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
            var isRejected = outcome.Status == DeliveryStatus.Rejected;
            var entry = subscription.Failure.Fresh(envelope, isRejected ? attempts - 1 : attempts) with { Position = failure.Position };

            // An event that could not be read and has no key does not block other events: it belongs to no order.
            entry = isRejected && envelope.Key is null ? entry with { LineKey = null } : entry;
            if (!await failures.RecordAsync(subscription.Failure, entry, failure, subscription.Slots))
            {
                return false;
            }
        }
        else if (attempts > 1)
        {
            await subscription.Attempts.ForgetAsync(subscription.Failure, envelope, subscription.Slots);
        }

        await delivery.AckAsync();
        return true;
    }

    /// <summary>
    /// Settles a claimed entry: it is completed, recorded again, or left until its lease expires if the bus stops or
    /// another instance has taken over.
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
            await failures.ReleaseAtStopAsync(entry);
            return true;
        }

        if (outcome.Failure is not { } failure)
        {
            await failures.CompleteAsync(subscription.Failure, entry, subscription.Slots);
            return true;
        }

        // A rejected event was not attempted, but its claim counted an attempt. Concurrent attempts that ended with
        // the process are not counted: this attempt ended in another way, so the other event probably ended the
        // process.
        var attempts = entry.Attempts - entry.Concurrent - (outcome.Status == DeliveryStatus.Rejected ? 1 : 0);
        var failed = entry with { Position = failure.Position ?? entry.Position, Attempts = attempts, Concurrent = 0 };
        return await failures.RecordAsync(subscription.Failure, failed, failure, subscription.Slots);
    }
}
