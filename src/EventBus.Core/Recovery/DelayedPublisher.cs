using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Publishes the delayed events that are due. A delayed event that can never be published becomes a dead letter. When
/// an operator retries the dead letter, it is published from the failure store.
/// </summary>
/// <param name="store">The store of the delayed events.</param>
/// <param name="publisher">Publishes the events.</param>
/// <param name="lease">The duration of a claim.</param>
/// <param name="services">The clock and the log.</param>
internal sealed class DelayedPublisher(DelayStore store, Publisher publisher, TimeSpan lease, BusServices services)
{
    /// <summary>
    /// The subscription of the dead letters. Contains a slash, which names of subscriptions cannot contain.
    /// </summary>
    public const string Subscription = "eventbus/delayed";

    private const string Publishing = "publishing delayed events";
    private const string Removing = "removing delayed events that are published";

    // The maximum number of entries per claim.
    private const int ClaimSize = 16;

    // No handler runs here: the slots exist only because the recorder lends them while it waits.
    private readonly ConcurrencyLimiter slots = new(2 * ClaimSize);

    private readonly TaskCompletionSource used = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>
    /// Completes when this instance first handles delayed events. An instance that only publishes without delays does
    /// not query the stores further.
    /// </summary>
    public Task InUse => used.Task;

    private TimeProvider Time => services.StoreTime;

    /// <summary>
    /// The store and the recorder of dead letters, and the retry policy of dead letters that an operator retries; null
    /// when no store keeps failures.
    /// </summary>
    public (RetryStore Store, FailureRecorder Recorder, FailurePolicy Policy)? Failures { get; init; }

    /// <summary>Declares that this instance handles delayed events.</summary>
    public void Use() => used.TrySetResult();

    /// <summary>Publishes the events that are due. They start in the order of the store and run concurrently.</summary>
    /// <returns>The time of the next call; null when nothing is known to be due.</returns>
    public async Task<DateTimeOffset?> PublishDueAsync(CancellationToken stop)
    {
        var claimed = await store.ClaimDueAsync(Time.GetUtcNow(), lease, ClaimSize, stop);
        if (claimed.Entries.Count > 0)
        {
            Use();
        }

        var retried = InUse.IsCompleted && Failures is { Store: var failures } ? await failures.ClaimDueAsync([Subscription], Time.GetUtcNow(), lease, ClaimSize, stop) : default;
        await Task.WhenAll([.. claimed.Entries.Select(envelope => PublishAsync(envelope, stop)), .. (retried.Entries ?? []).Select(RetryAsync)]);
        return claimed.Entries.Count == ClaimSize || retried.Entries is { Count: ClaimSize } ? Time.GetUtcNow() : Earlier(claimed.NextDue, retried.NextDue);
    }

    private static DateTimeOffset? Earlier(DateTimeOffset? first, DateTimeOffset? second) => first is null || second < first ? second : first;

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
                await publisher.SendDueAsync(envelope);
            }

            services.Log.Working(Publishing);
        }
        catch (PublishException exception) when (exception.Failure == PublishFailure.Rejected && Failures is not null)
        {
            await KeepAsync(envelope, DeadLetterReason.Unpublishable, ExceptionText.MessageOf(exception));
        }
        catch (PublishException exception) when (exception.Failure != PublishFailure.NoSubscriber)
        {
            // It is still in the store: due again when the lease expires, and recognizable by its id.
            services.Log.Failing(Publishing, exception, full => full.DelayedPublishFailed(envelope.Name, envelope.Id, exception));
            return;
        }
        catch (PublishException exception)
        {
            // It was accepted while there was a subscriber. If it stayed in the store, it would be due again without
            // end.
            services.Log.DelayedWithoutSubscriber(envelope.Name, envelope.Id, exception);
        }

        try
        {
            await store.RemoveAsync(envelope, stop);
            services.Log.Working(Removing);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            // It is published and still in the store: it is published again, with the same id, when the lease expires.
            // The other events of the batch are not affected.
            services.Log.Failing(Removing, exception, full => full.DelayedNotRemoved(envelope.Name, envelope.Id, exception));
        }
    }

    /// <summary>
    /// Records a dead letter for an event that is still in the store of delayed events. The event is removed from that
    /// store afterwards: if the process ends in between, the same dead letter is recorded again.
    /// </summary>
    private async Task KeepAsync(Envelope envelope, DeadLetterReason reason, string error)
    {
        if (Failures is not { Recorder: var recorder, Policy: var policy })
        {
            throw new PublishException($"The delayed event '{envelope.Name}' {envelope.Id} cannot be published, and no store keeps dead letters: {error}", PublishFailure.Failed, envelope.Id);
        }

        await WithSlotAsync(() => recorder.RecordAsync(policy, policy.Fresh(envelope, starts: 0), new Rejected(new Rejection(reason, error)), slots));
    }

    private Task RetryAsync(FailedEvent entry)
    {
        var (_, recorder, policy) = Failures!.Value;
        return WithSlotAsync(async () =>
        {
            Failure failure;
            try
            {
                if (entry.Envelope.Defect is not { } defect)
                {
                    await publisher.SendDueAsync(entry.Envelope);
                    await recorder.CompleteAsync(policy, entry, slots);
                    return;
                }

                failure = new Rejected(new Rejection(DeadLetterReason.Unstorable, defect));
            }
            catch (PublishException exception)
            {
                failure = exception.Failure is PublishFailure.Rejected or PublishFailure.NoSubscriber ? new Rejected(new Rejection(DeadLetterReason.Unpublishable, ExceptionText.MessageOf(exception))) : new Threw(exception);
            }

            await recorder.RecordAsync(policy, entry, failure, slots);
        });
    }

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
            slots.GiveBack();
        }
    }
}
