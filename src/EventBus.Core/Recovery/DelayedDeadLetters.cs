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
    /// The subscription of the dead letters. Contains a slash, which names of subscriptions cannot contain.
    /// </summary>
    public const string Subscription = "eventbus/delayed";

    /// <summary>The maximum number of events that are in progress at once.</summary>
    public const int MaxConcurrent = 32;

    private readonly FailurePolicy policy = new(Subscription, false, retry);

    // No handler runs here. The recorder expects that its caller holds a slot, because it releases the slot while it
    // waits for the store.
    private readonly ConcurrencyLimiter slots = new(MaxConcurrent);

    /// <summary>Claims the dead letters whose retry is due.</summary>
    public ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(TimeSpan lease, int max, CancellationToken stop) =>
        store.ClaimDueAsync([Subscription], services.StoreTime.GetUtcNow(), lease, max, stop);

    /// <summary>
    /// Records a dead letter for an event that is still in the store of delayed events. The event is removed from that
    /// store afterwards: if the process ends in between, the same dead letter is recorded again.
    /// </summary>
    public Task RecordAsync(Envelope envelope, DeadLetterReason reason, string error) =>
        WithSlotAsync(
            () => recorder.RecordAsync(policy, policy.Fresh(envelope, attempts: 0), new Rejected(new Rejection(reason, error)), slots));

    /// <summary>Publishes a claimed dead letter, and completes it or records its failure.</summary>
    public Task RetryAsync(FailedEvent entry, EventSender sender) => WithSlotAsync(async () =>
    {
        Failure failure;
        try
        {
            if (entry.Envelope.Defect is not { } defect)
            {
                await sender.SendDueAsync(entry.Envelope);
                await recorder.CompleteAsync(policy, entry, slots);
                return;
            }

            failure = new Rejected(new Rejection(DeadLetterReason.Unstorable, defect));
        }
        catch (PublishException exception)
        {
            failure = exception.Failure is PublishFailure.Rejected or PublishFailure.NoSubscriber
                ? new Rejected(new Rejection(DeadLetterReason.Unpublishable, ExceptionText.MessageOf(exception)))
                : new Threw(exception);
        }

        await recorder.RecordAsync(policy, entry, failure, slots);
        due.Pulse();
    });

    private async Task WithSlotAsync(Func<Task> action)
    {
        await slots.TakeAsync();
        try
        {
            await action();
        }
        catch (OperationCanceledException) when (services.Abort.IsCancellationRequested)
        {
            // The bus stops before the store accepted the write: the event is due again when its lease expires.
        }
        finally
        {
            slots.Release();
        }
    }
}
