using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Publishes the delayed events that are due. A delayed event that can never be published becomes a dead letter. When
/// an operator retries the dead letter, it is published from the failure store.
/// </summary>
/// <param name="store">The store of the delayed events.</param>
/// <param name="sender">Sends an event with one attempt: retries would delay the other due events.</param>
/// <param name="deadLetters">Records events that can never be published; null if no store keeps dead letters.</param>
/// <param name="due">
/// Wakes the loop. Its first pulse also shows that delayed events concern this instance: it has subscriptions, or has
/// stored or claimed a delayed event.
/// </param>
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

    // The maximum number of entries of one claim. Two claims are in progress at once: due events and dead letters.
    private const int ClaimSize = DelayedDeadLetters.MaxConcurrent / 2;

    // The part of the lease that is left for calls of the store, after the publish timeout.
    private static readonly TimeSpan LeaseMargin = TimeSpan.FromMinutes(1);

    private readonly TimeSpan lease = sender.Timeout + LeaseMargin;

    private TimeProvider Time => services.StoreTime;

    /// <summary>Publishes the events that are due. They start in the order of the store and run concurrently.</summary>
    /// <returns>The time of the next call; null if nothing is known to become due.</returns>
    public async Task<DateTimeOffset?> PublishDueAsync(CancellationToken stop)
    {
        var claimed = await store.ClaimDueAsync(Time.GetUtcNow(), lease, ClaimSize, stop);
        if (claimed.Entries.Count > 0 && !due.FirstPulse.IsCompleted)
        {
            due.Pulse();
        }

        // An instance that only publishes, and without delays, does not query the store of the dead letters.
        var retried = new DueBatch<FailedEvent>([], null);
        if (deadLetters is not null && due.FirstPulse.IsCompleted)
        {
            retried = await deadLetters.ClaimDueAsync(lease, ClaimSize, stop);
        }

        await Task.WhenAll([
            .. claimed.Entries.Select(envelope => PublishAsync(envelope, stop)),
            .. retried.Entries.Select(entry => deadLetters!.RetryAsync(entry, sender))
        ]);
        var mayHaveMore = claimed.Entries.Count == ClaimSize || retried.Entries.Count == ClaimSize;
        return mayHaveMore ? Time.GetUtcNow() : TimeMath.Earlier(claimed.NextDue, retried.NextDue);
    }

    /// <summary>Publishes an event or records its dead letter, and removes it from the store.</summary>
    private async Task PublishAsync(Envelope envelope, CancellationToken stop)
    {
        bool isDone;
        try
        {
            isDone = await SendAsync(envelope);
        }
        catch (PublishException exception)
        {
            // The event is still in the store, and is due again when its lease expires. If it was sent, its copy has
            // the same id.
            services.Log.Failing(Publishing, exception, logger => logger.DelayedPublishFailed(envelope.Name, envelope.Id, exception));
            return;
        }

        if (isDone)
        {
            await RemoveAsync(envelope, stop);
        }
    }

    /// <summary>Publishes an event, or records a dead letter if it can never be published.</summary>
    /// <returns>False if the event must stay in the store: the bus stops before the dead letter was recorded.</returns>
    /// <exception cref="PublishException">The event must stay in the store, to be published later.</exception>
    private async Task<bool> SendAsync(Envelope envelope)
    {
        if (envelope.Defect is { } defect)
        {
            return deadLetters is not null
                ? await deadLetters.TryRecordAsync(envelope, DeadLetterReason.Unstorable, defect)
                : throw new PublishException(
                    $"The delayed event '{envelope.Name}' {envelope.Id} cannot be published, and no store keeps dead letters: {defect}",
                    PublishFailure.Failed,
                    envelope.Id);
        }

        try
        {
            await sender.SendDueAsync(envelope);
            services.Log.Working(Publishing);
            return true;
        }
        catch (PublishException exception) when (exception.Failure == PublishFailure.Rejected && deadLetters is not null)
        {
            return await deadLetters.TryRecordAsync(envelope, DeadLetterReason.Unpublishable, ExceptionText.MessageOf(exception));
        }
        catch (PublishException exception) when (exception.Failure == PublishFailure.NoSubscriber)
        {
            // The event was accepted when there was a subscriber. It is removed, because otherwise it would become due
            // again without end.
            services.Log.DelayedWithoutSubscriber(envelope.Name, envelope.Id, exception);
            return true;
        }
    }

    private async Task RemoveAsync(Envelope envelope, CancellationToken stop)
    {
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
}
