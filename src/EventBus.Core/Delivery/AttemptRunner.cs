using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Runs attempts of a subscription through its pipeline, and settles each by its outcome: acknowledges it, records it
/// in the store, or releases it.
/// </summary>
internal sealed class AttemptRunner(SubscriptionRuntime subscription, DeliveryStep pipeline, FailureRecorder failures)
{
    /// <summary>Begins an attempt.</summary>
    public ValueTask<DeliveryOutcome> Start(DeliveryContext context, CancellationToken lost) => pipeline.InvokeAsync(context, lost);

    /// <summary>Runs an attempt of a delivery, and settles the delivery.</summary>
    /// <param name="delivery">The delivery.</param>
    /// <param name="context">Its context.</param>
    /// <param name="attempts">The number of attempts including this one.</param>
    public Task RunAsync(Delivery delivery, DeliveryContext context, int attempts) =>
        SettleAsync(delivery, context, Start(context, delivery.Lost), attempts);

    /// <summary>Settles a delivery when its attempt has ended.</summary>
    /// <param name="delivery">The delivery.</param>
    /// <param name="context">Its context.</param>
    /// <param name="running">The attempt.</param>
    /// <param name="attempts">The number of attempts including this one.</param>
    public async Task SettleAsync(Delivery delivery, DeliveryContext context, ValueTask<DeliveryOutcome> running, int attempts)
    {
        while (!await TrySettleAsync(delivery, await running, attempts))
        {
            running = Start(context, delivery.Lost);
        }
    }

    /// <summary>
    /// Retries a failed event. Its entry is completed, recorded again, or left until its lease expires if the bus stops
    /// or another instance has taken over.
    /// </summary>
    public async Task RetryAsync(FailedEvent entry, CancellationToken lost)
    {
        var context = new DeliveryContext(entry.Envelope, subscription);
        var state = context.EnsureState();
        (state.Attempt, state.ManualRetries, state.IsKept) = (entry.Attempts, entry.ManualRetries, true);
        state.MayBePassed = subscription.Failure.ContinueWhenBlocked;
        while (!await TrySettleAsync(entry, await Start(context, lost), lost))
        {
        }
    }

    /// <returns>False when the guard of the event must be asked again.</returns>
    private async ValueTask<bool> TrySettleAsync(Delivery delivery, DeliveryOutcome outcome, int attempts)
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

    /// <returns>False when the guard of the event must be asked again.</returns>
    private async ValueTask<bool> TrySettleAsync(FailedEvent entry, DeliveryOutcome outcome, CancellationToken lost)
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
