using System.Data.Common;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Manages the claims of one idempotent subscription: claims an event in the store with a lease, marks it as handled in
/// one commit with the events that its handler published, and releases it.
/// </summary>
/// <remarks>
/// Only a completed event suppresses later copies. While another attempt holds the claim, this one waits. While the
/// store is down, no handler runs. Thread-safe.
/// </remarks>
internal sealed class EventClaims(
    IdempotencySettings settings,
    ProcessedEventStore store,
    DurableWriter writer,
    ClaimLeaseRenewer leases,
    BusServices services)
{
    private static readonly TimeSpan MaxRecheck = TimeSpan.FromSeconds(3);

    private static readonly ProcessedClaim ClaimedByAnother = new(ProcessedState.InProgress, 0, 0, []);

    private readonly string subscription = settings.Subscription;
    private readonly IdempotencyOptions options = settings.Options;
    private readonly LocalProcessedEventStore? local = store as LocalProcessedEventStore;
    private readonly ProcessedStoreProbe probe = new(store, settings.Lease, services.StoreTime);
    private readonly RunningAttempts runningAttempts = new(services);
    private readonly ClaimWaits waits = new(services);

    /// <summary>True if effects can run in the transaction that marks an event as handled.</summary>
    public bool HasTransactions => store.SupportsTransactions;

    /// <summary>
    /// The time after which an event that another attempt has claimed is attempted again: a tenth of the lease, at most
    /// 3 s.
    /// </summary>
    public TimeSpan Recheck { get; } = settings.Lease < MaxRecheck * 10 ? settings.Lease / 10 : MaxRecheck;

    /// <summary>The claims of the quick path, which is tried first.</summary>
    public LocalClaims Local { get; } = new(settings, store, services);

    /// <summary>Begins an attempt. Disposing it lets other attempts of this process continue.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="event">The event object; null for an unknown event.</param>
    /// <param name="isDelivery">True if it is a delivery of the transport.</param>
    /// <exception cref="InvalidOperationException">The key of the application is too long or empty.</exception>
    public EventClaim Begin(Envelope envelope, object? @event, bool isDelivery)
    {
        var customKey = EventIdentity.CustomKeyOf(options, @event);
        var key = new ProcessedKey(subscription, EventIdentity.KeyOf(envelope, customKey));
        var fingerprint = EventIdentity.FingerprintOf(envelope, customKey);
        return new EventClaim(key, fingerprint, SubjectOf(envelope) with { IsDelivery = isDelivery }, runningAttempts);
    }

    /// <summary>
    /// Claims an event, unless another attempt has the claim. Waits while the store accepts no writes.
    /// </summary>
    /// <remarks>
    /// A store of this process has no claims of ended processes, so that the other attempt ends soon: this method then
    /// waits for it, like <see cref="ClaimAsync"/>.
    /// </remarks>
    /// <param name="claim">The attempt. It gets the fencing token.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The claim; in progress if another attempt has it.</returns>
    public async Task<ProcessedClaim> TryClaimAsync(EventClaim claim, ConcurrencyLimiter slots, CancellationToken cancellationToken)
    {
        if (local is not null)
        {
            return await ClaimAsync(claim, slots, cancellationToken);
        }

        if (!runningAttempts.TryEnter(claim))
        {
            return ClaimedByAnother;
        }

        while (true)
        {
            var (found, askedAt) = await AskAsync(claim, slots);
            if (!IsOver(found, askedAt))
            {
                claim.FencingToken = found.FencingToken;
                return found;
            }
        }
    }

    /// <summary>
    /// Claims an event. Waits while the store accepts no writes, and while another attempt has the claim.
    /// </summary>
    /// <param name="claim">The attempt. It gets the fencing token.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    public async Task<ProcessedClaim> ClaimAsync(EventClaim claim, ConcurrencyLimiter slots, CancellationToken cancellationToken)
    {
        var polls = 0;
        while (true)
        {
            polls++;
            await runningAttempts.EnterAsync(claim, slots, cancellationToken);
            var (found, askedAt) = await AskAsync(claim, slots);
            if (IsOver(found, askedAt))
            {
                continue;
            }

            if (found.State != ProcessedState.InProgress)
            {
                claim.FencingToken = found.FencingToken;
                return found;
            }

            // A local store signals when the other claim is settled, which always happens. Other stores are polled,
            // because the process that holds the claim may end.
            if (local is not null)
            {
                await slots.WaitWithoutAsync(local.WhenSettledAsync(claim.Key, cancellationToken), services.Abort);
            }
            else
            {
                await waits.WaitAsync(polls, slots, cancellationToken);
            }
        }
    }

    /// <summary>Renews the lease of a claim until the result is disposed.</summary>
    public ClaimLease Renew(EventClaim claim) => leases.Hold(claim);

    /// <summary>
    /// Marks a claimed event as handled, and executes the effects of its handler in the same transaction.
    /// </summary>
    /// <param name="claim">The attempt.</param>
    /// <param name="outbox">The events that the handler published.</param>
    /// <param name="effects">The effects of the handler.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="cancellationToken">
    /// Cancelled when the handler has timed out or the claim is lost: its effects must not be executed then.
    /// </param>
    /// <returns>False if another attempt has the claim, or the call was cancelled.</returns>
    public Task<bool> CompleteAsync(
        EventClaim claim,
        IReadOnlyList<Envelope> outbox,
        IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
        ConcurrencyLimiter slots,
        CancellationToken cancellationToken)
    {
        return writer.WriteAsync(claim.Subject, slots, CommitAsync);

        ValueTask<bool> CommitAsync()
        {
            var completion = new Completion(outbox, effects, services.StoreTime.GetUtcNow() + options.Retention);
            return effects.Count == 0
                ? store.CompleteAsync(claim.Key, claim.FencingToken, completion, services.Abort)
                : CompleteWithEffectsAsync(claim, completion, cancellationToken);
        }
    }

    /// <summary>Releases a claim. A claim that cannot be released ends with its lease.</summary>
    public Task ReleaseAsync(EventClaim claim, ConcurrencyLimiter slots) => writer.TryWriteAsync(claim.Subject, slots, async () =>
    {
        await store.ReleaseAsync(claim.Key, claim.FencingToken, services.Abort);
        return true;
    });

    /// <summary>Records that the events which a handler published are sent.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="key">The text by which the subscription recognizes copies of the event; null for its id.</param>
    /// <param name="isDelivery">True if it is a delivery of the transport.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    public Task MarkDispatchedAsync(Envelope envelope, string? key, bool isDelivery, ConcurrencyLimiter slots)
    {
        var processed = key is null ? Local.KeyOf(envelope) : new ProcessedKey(subscription, key);
        return writer.TryWriteAsync(SubjectOf(envelope) with { IsDelivery = isDelivery }, slots, async () =>
        {
            await store.MarkDispatchedAsync(processed, services.Abort);
            return true;
        });
    }

    /// <summary>Asks the store for a claim, until it answers.</summary>
    /// <returns>The answer, and the time of the call that got it. The lease began no earlier than that.</returns>
    private Task<(ProcessedClaim Found, DateTimeOffset AskedAt)> AskAsync(EventClaim claim, ConcurrencyLimiter slots) =>
        writer.WriteAsync(claim.Subject, slots, async () =>
        {
            var askedAt = services.StoreTime.GetUtcNow();
            return (await store.ClaimAsync(claim.Key, claim.Fingerprint, askedAt, settings.Lease, services.Abort), askedAt);
        });

    /// <summary>
    /// True if the answer came after the lease had expired: another attempt may have begun, or even completed.
    /// </summary>
    private bool IsOver(ProcessedClaim found, DateTimeOffset askedAt) =>
        found.State == ProcessedState.New && askedAt + settings.Lease <= services.StoreTime.GetUtcNow();

    private async ValueTask<bool> CompleteWithEffectsAsync(EventClaim claim, Completion completion, CancellationToken cancellationToken)
    {
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            return await store.CompleteAsync(claim.Key, claim.FencingToken, completion, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The caller cancelled the call, so this is no failure of the store. If the store has committed
            // nevertheless, the next attempt finds the event done.
            return false;
        }
    }

    private WriteSubject SubjectOf(Envelope envelope) => new(subscription, envelope.Name, envelope.Id, probe.RunAsync);
}
