using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Records a dead letter for each delayed event that can never be published, and publishes the dead letters that an
/// operator retries.
/// </summary>
/// <param name="store">The store of the dead letters.</param>
/// <param name="recorder">Records the dead letters.</param>
/// <param name="retry">The retries of a dead letter that an operator retries and whose publish fails.</param>
/// <param name="due">Wakes the loop of delayed events when a retry was recorded.</param>
/// <param name="services">The clock and the abort token.</param>
internal sealed class DelayedDeadLetters(
    RetryStore store,
    FailureRecorder recorder,
    RetryPolicy retry,
    WakeSignal due,
    BusServices services)
{
    /// <summary>
    /// The subscription of these dead letters. Names of subscriptions cannot contain a slash, so no subscription of the
    /// application has this name.
    /// </summary>
    public const string Subscription = AlertFacts.DelayedSubscription;

    /// <summary>The maximum number of events that are in progress at once.</summary>
    public const int MaxConcurrent = 32;

    private readonly FailurePolicy policy = new(Subscription, Ordered: false, retry);

    // No handler runs here. But the recorder expects that its caller holds a slot, which it lends to others while it
    // waits for the store.
    private readonly ConcurrencyLimiter slots = new(MaxConcurrent);

    /// <summary>Claims the dead letters whose retry is due.</summary>
    public ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(TimeSpan lease, int max, CancellationToken stop) =>
        store.ClaimDueAsync([Subscription], services.StoreTime.GetUtcNow(), lease, max, stop);

    /// <summary>
    /// Records a dead letter for an event that is still in the store of delayed events. The event is removed from that
    /// store afterwards: if the process ends in between, the same dead letter is recorded again.
    /// </summary>
    /// <returns>False if the bus stops before the store accepted the dead letter.</returns>
    public Task<bool> TryRecordAsync(Envelope envelope, DeadLetterReason reason, string error) =>
        WithSlotAsync(
            () => recorder.RecordAsync(policy, policy.Fresh(envelope, attempts: 0), new Rejected(new Rejection(reason, error)), slots));

    /// <summary>Publishes a claimed dead letter, and completes it or records its failure.</summary>
    public Task RetryAsync(FailedEvent entry, EventSender sender) => WithSlotAsync(async () =>
    {
        var failure = await SendAsync(entry.Envelope, sender);
        if (failure is null)
        {
            await recorder.CompleteAsync(policy, entry, slots);
            return;
        }

        await recorder.RecordAsync(policy, entry, failure, slots);
        due.Pulse();
    });

    /// <returns>Null if the event is published.</returns>
    private static async Task<Failure?> SendAsync(Envelope envelope, EventSender sender)
    {
        if (envelope.Defect is { } defect)
        {
            return new Rejected(new Rejection(DeadLetterReason.Unstorable, defect));
        }

        try
        {
            await sender.SendDueAsync(envelope);
            return null;
        }
        catch (PublishException exception) when (exception.Failure is PublishFailure.Rejected or PublishFailure.NoSubscriber)
        {
            return new Rejected(new Rejection(DeadLetterReason.Unpublishable, ExceptionText.MessageOf(exception)));
        }
        catch (PublishException exception)
        {
            return new Threw(exception);
        }
    }

    /// <returns>False if the bus stops before the store accepted the write of the action.</returns>
    private async Task<bool> WithSlotAsync(Func<Task> action)
    {
        await slots.TakeAsync();
        try
        {
            await action();
            return true;
        }
        catch (OperationCanceledException) when (services.Abort.IsCancellationRequested)
        {
            // The event stays in its store, and is due again when its lease expires.
            return false;
        }
        finally
        {
            slots.Release();
        }
    }
}
