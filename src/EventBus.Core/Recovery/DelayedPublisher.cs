using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>What the loop of delayed events does: publishes those that are due. One that can never be published becomes a dead letter; what operators retry of these is published from there.</summary>
/// <param name="store">The delayed events.</param>
/// <param name="publisher">Publishes them.</param>
/// <param name="lease">For how long they are claimed.</param>
/// <param name="environment">The clock and the log.</param>
internal sealed class DelayedPublisher(DelayStore store, Publisher publisher, TimeSpan lease, RunEnvironment environment)
{
    /// <summary>The subscription of the dead letters. No name of a subscription holds a slash.</summary>
    public const string Subscription = "eventbus/delayed";

    private const string Publishing = "publishing delayed events";
    private const string Removing = "removing delayed events that are published";

    // How many entries are claimed at once at most.
    private const int ClaimSize = 16;

    // No handler is started: the slots only lend themselves to what the recorder waits for.
    private readonly ConcurrencyLimiter slots = new(2 * ClaimSize);

    private readonly TaskCompletionSource used = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes once this instance has to do with delayed events. One that only publishes, without delays, asks nothing more of the stores.</summary>
    public Task InUse => used.Task;

    private TimeProvider Time => environment.Time;

    /// <summary>Where the dead letters go, and how often the publish of one that was retried is repeated; null where no store keeps failures.</summary>
    public (FailureStore Store, FailureRecorder Recorder, FailurePolicy Policy)? Failures { get; init; }

    /// <summary>This instance has to do with delayed events.</summary>
    public void Use() => used.TrySetResult();

    /// <summary>Publishes what is due, side by side, begun in the order of the store.</summary>
    /// <returns>When to come again.</returns>
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

            environment.Log.Working(Publishing);
        }
        catch (PublishException exception) when (exception.Failure == PublishFailure.Rejected && Failures is not null)
        {
            await KeepAsync(envelope, DeadLetterReason.Unpublishable, ExceptionText.MessageOf(exception));
        }
        catch (PublishException exception) when (exception.Failure != PublishFailure.NoSubscriber)
        {
            // Still in the store: due again when the lease is over, and recognisable by its id.
            environment.Log.Failing(Publishing, exception, full => full.DelayedPublishFailed(envelope.Name, envelope.Id, exception));
            return;
        }
        catch (PublishException exception)
        {
            // Accepted while somebody listened. Keeping it would bring it back for ever.
            environment.Log.DelayedWithoutSubscriber(envelope.Name, envelope.Id, exception);
        }

        try
        {
            await store.RemoveAsync(envelope, stop);
            environment.Log.Working(Removing);
        }
        catch (Exception exception) when (!stop.IsCancellationRequested)
        {
            // Published and still in the store: published again when the lease is over, with the same id. The others of the batch are no worse off.
            environment.Log.Failing(Removing, exception, full => full.DelayedNotRemoved(envelope.Name, envelope.Id, exception));
        }
    }

    /// <summary>Makes a dead letter of an event that is still in the store of delayed events. It is removed there afterwards: a kill in between makes the same dead letter again.</summary>
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
        catch (OperationCanceledException) when (environment.Abort.IsCancellationRequested)
        {
            // The bus stops before the store took it: it comes again when its lease is over.
        }
        finally
        {
            slots.GiveBack();
        }
    }
}
