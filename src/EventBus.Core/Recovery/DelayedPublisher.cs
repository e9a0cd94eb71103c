using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Publishes the delayed events that are due. A delayed event that can never be published becomes a dead letter. When
/// an operator retries the dead letter, it is published from the failure store.
/// </summary>
/// <param name="store">The store of the delayed events.</param>
/// <param name="sender">Sends an event with one attempt: retries would delay the other due events.</param>
/// <param name="deadLetters">Records events that can never be published; null when no store keeps dead letters.</param>
/// <param name="due">Wakes the loop. The first pulse also shows that this instance handles delayed events.</param>
/// <param name="services">The clock and the log.</param>
internal sealed class DelayedPublisher(
    DelayStore store,
    EventSender sender,
    DelayedDeadLetters? deadLetters,
    WakeSignal due,
    BusServices services)
{
    private const string Publishing = "publishing delayed events";
    private const string Removing = "removing delayed events that are published";

    // The maximum number of entries per claim.
    private const int ClaimSize = DelayedDeadLetters.MaxConcurrent / 2;

    // Added to the publish timeout, for the calls of the store itself.
    private static readonly TimeSpan LeaseMargin = TimeSpan.FromMinutes(1);

    private readonly TimeSpan lease = sender.Timeout + LeaseMargin;

    private TimeProvider Time => services.StoreTime;

    /// <summary>Publishes the events that are due. They start in the order of the store and run concurrently.</summary>
    /// <returns>The time of the next call; null when nothing is known to be due.</returns>
    public async Task<DateTimeOffset?> PublishDueAsync(CancellationToken stop)
    {
        var claimed = await store.ClaimDueAsync(Time.GetUtcNow(), lease, ClaimSize, stop);
        if (claimed.Entries.Count > 0 && !due.FirstPulse.IsCompleted)
        {
            due.Pulse();
        }

        // An instance that only publishes without delays does not query the store of the dead letters.
        var retried = deadLetters is not null && due.FirstPulse.IsCompleted
            ? await deadLetters.ClaimDueAsync(lease, ClaimSize, stop)
            : default;
        await Task.WhenAll([
            .. claimed.Entries.Select(envelope => PublishAsync(envelope, stop)),
            .. (retried.Entries ?? []).Select(entry => deadLetters?.RetryAsync(entry, sender) ?? Task.CompletedTask)
        ]);
        return claimed.Entries.Count == ClaimSize || retried.Entries is { Count: ClaimSize }
            ? Time.GetUtcNow()
            : TimeMath.Earlier(claimed.NextDue, retried.NextDue);
    }

    private async Task PublishAsync(Envelope envelope, CancellationToken stop)
    {
        try
        {
            if (envelope.Defect is { } defect)
            {
                await KeepAsync(envelope, DeadLetterReason.Unstorable, defect);
            }
            else
            {
                await sender.SendDueAsync(envelope);
            }

            services.Log.Working(Publishing);
        }
        catch (PublishException exception) when (exception.Failure == PublishFailure.Rejected && deadLetters is not null)
        {
            await KeepAsync(envelope, DeadLetterReason.Unpublishable, ExceptionText.MessageOf(exception));
        }
        catch (PublishException exception) when (exception.Failure != PublishFailure.NoSubscriber)
        {
            // The event is still in the store, and is due again when its lease expires. If it was sent, its copy has
            // the same id.
            services.Log.Failing(Publishing, exception, logger => logger.DelayedPublishFailed(envelope.Name, envelope.Id, exception));
            return;
        }
        catch (PublishException exception)
        {
            // The event was accepted when there was a subscriber. It is removed, because otherwise it would become due
            // again without end.
            services.Log.DelayedWithoutSubscriber(envelope.Name, envelope.Id, exception);
        }

        try
        {
            await store.RemoveAsync(envelope, stop);
            services.Log.Working(Removing);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            // The event is published and still in the store. It is published again, with the same id, when its lease
            // expires. The other events of the batch are not affected.
            services.Log.Failing(Removing, exception, logger => logger.DelayedNotRemoved(envelope.Name, envelope.Id, exception));
        }
    }

    private Task KeepAsync(Envelope envelope, DeadLetterReason reason, string error) =>
        deadLetters?.RecordAsync(envelope, reason, error)
        ?? throw new PublishException(
            $"The delayed event '{envelope.Name}' {envelope.Id} cannot be published, and no store keeps dead letters: {error}",
            PublishFailure.Failed,
            envelope.Id);
}
