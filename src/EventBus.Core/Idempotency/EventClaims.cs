using System.Collections.Concurrent;
using System.Data.Common;
using System.Security.Cryptography;
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
    private const int MaxKeyLength = 256;

    private static readonly Backoff PollDelays = new(TimeSpan.FromMilliseconds(20), TimeSpan.FromSeconds(1));

    private readonly string subscription = settings.Subscription;
    private readonly IdempotencyOptions options = settings.Options;
    private readonly LocalProcessedEventStore? local = store as LocalProcessedEventStore;
    private readonly TimestampClock clock = new(services.StoreTime);

    // The running attempts by key. Attempts of this process wait for each other without polling the store.
    private readonly ConcurrentDictionary<string, Task> runningAttempts = new(StringComparer.Ordinal);

    /// <summary>True if effects can run in the transaction that marks an event as handled.</summary>
    public bool HasTransactions => store.SupportsTransactions;

    /// <summary>
    /// Claims an event on the quick path: in a store of this process, and without a fingerprint or a custom key. If it
    /// returns false, <see cref="ClaimAsync"/> must claim the event.
    /// </summary>
    /// <param name="envelope">The event.</param>
    /// <param name="fencingToken">The fencing token of the claim.</param>
    public bool TryClaim(Envelope envelope, out long fencingToken)
    {
        // An event with a body has a fingerprint, which this path does not store.
        fencingToken = 0;
        return local is not null
            && !options.HasKeys
            && envelope.Uuid != Guid.Empty
            && envelope.BodyLength < 0
            && local.TryClaim(KeyOf(envelope), out fencingToken);
    }

    /// <summary>Completes an event on the quick path: its handler has succeeded and published nothing.</summary>
    public void Complete(Envelope envelope, long fencingToken) =>
        local!.Complete(KeyOf(envelope), fencingToken, clock.Now() + options.Retention);

    /// <summary>Gets the fencing token of an event that was claimed on the quick path; 0 for none.</summary>
    public long FencingTokenOf(Envelope envelope) => envelope.Uuid != Guid.Empty ? local?.FencingTokenOf(KeyOf(envelope)) ?? 0 : 0;

    /// <summary>Begins an attempt. Disposing it lets other attempts of this process continue.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="event">The event object; null for an unknown event.</param>
    /// <param name="isDelivery">True if it is a delivery of the transport.</param>
    /// <exception cref="InvalidOperationException">The key of the application is too long or empty.</exception>
    public EventClaim Begin(Envelope envelope, object? @event, bool isDelivery)
    {
        var customKey = @event is null ? null : options.KeyOf(@event.GetType())?.Invoke(@event);
        if (customKey is { Length: 0 or > MaxKeyLength })
        {
            throw new InvalidOperationException(
                $"The idempotency key has {customKey.Length} characters; 1 to {MaxKeyLength} are allowed. Correct the function given to "
                    + $"KeyedBy<{@event!.GetType().Name}>().");
        }

        // A custom key is scoped to one event type: OrderPaid and OrderShipped of the same order are not copies of each
        // other.
        var key = new ProcessedKey(subscription, customKey is null ? envelope.Id : $"{envelope.Name}~{customKey}");

        // When a handler is retried, the events that it publishes have the same ids, but their bodies may contain other
        // timestamps. So events with derived ids have no fingerprint.
        var hasFingerprint = customKey is null && !envelope.IdIsDerived && envelope.BodyLength >= 0;
        var fingerprint = hasFingerprint ? Fingerprint(envelope) : 0;
        return new EventClaim(key, fingerprint, SubjectOf(envelope) with { IsDelivery = isDelivery }, runningAttempts);
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
            await WaitForEarlierAttemptsAsync(claim, slots, cancellationToken);
            var (found, askedAt) = await TryClaimAsync(claim, slots);
            if (found.State == ProcessedState.New && askedAt + settings.Lease <= services.StoreTime.GetUtcNow())
            {
                // The answer came after the lease had expired: another attempt may have begun, or even completed.
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
                await Task.Delay(PollDelays.After(polls), services.StoreTime, cancellationToken);
            }
        }
    }

    /// <summary>
    /// Waits until no other attempt of this instance handles an event with the key, and registers the attempt.
    /// </summary>
    private async Task WaitForEarlierAttemptsAsync(EventClaim claim, ConcurrencyLimiter slots, CancellationToken cancellationToken)
    {
        var registered = runningAttempts.GetOrAdd(claim.Key.Key, claim.Ended);
        while (registered != claim.Ended)
        {
            await slots.WaitWithoutAsync(registered.WaitAsync(cancellationToken), services.Abort);
            registered = runningAttempts.GetOrAdd(claim.Key.Key, claim.Ended);
        }
    }

    /// <summary>Renews the lease of a claim until the result is disposed.</summary>
    public ClaimLease Renew(EventClaim claim) => leases.Hold(claim);

    /// <summary>Marks an event that was claimed on the quick path as handled.</summary>
    /// <returns>False if another attempt has the claim.</returns>
    public ValueTask<bool> CompleteAsync(Envelope envelope, long fencingToken, IReadOnlyList<Envelope> outbox) =>
        store.CompleteAsync(
            KeyOf(envelope),
            fencingToken,
            new Completion(outbox, [], services.StoreTime.GetUtcNow() + options.Retention),
            CancellationToken.None);

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
    public async Task<bool> CompleteAsync(
        EventClaim claim,
        IReadOnlyList<Envelope> outbox,
        IReadOnlyList<Func<DbTransaction, CancellationToken, Task>> effects,
        ConcurrencyLimiter slots,
        CancellationToken cancellationToken)
    {
        await using var write = writer.Begin(claim.Subject, slots);
        while (true)
        {
            try
            {
                var completion = new Completion(outbox, effects, services.StoreTime.GetUtcNow() + options.Retention);
                return await (effects.Count == 0
                    ? store.CompleteAsync(claim.Key, claim.FencingToken, completion, services.Abort)
                    : CompleteWithEffectsAsync(claim, completion, cancellationToken));
            }
            catch (Exception exception)
            {
                await write.RepeatAsync(exception);
            }
        }
    }

    /// <summary>Releases the claim of the quick path.</summary>
    public ValueTask ReleaseAsync(Envelope envelope, long fencingToken) =>
        store.ReleaseAsync(KeyOf(envelope), fencingToken, CancellationToken.None);

    /// <summary>Releases a claim. A claim that cannot be released ends with its lease.</summary>
    public async Task ReleaseAsync(EventClaim claim, ConcurrencyLimiter slots)
    {
        await using var write = writer.Begin(claim.Subject, slots);
        var repeats = true;
        while (repeats)
        {
            try
            {
                await store.ReleaseAsync(claim.Key, claim.FencingToken, services.Abort);
                return;
            }
            catch (Exception exception)
            {
                repeats = await write.TryRepeatAsync(exception);
            }
        }
    }

    /// <summary>Records that the events which a handler published are sent.</summary>
    /// <param name="envelope">The event.</param>
    /// <param name="key">The text by which the subscription recognizes copies of the event; null for its id.</param>
    /// <param name="isDelivery">True if it is a delivery of the transport.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    public async Task MarkDispatchedAsync(Envelope envelope, string? key, bool isDelivery, ConcurrencyLimiter slots)
    {
        var processed = key is null ? KeyOf(envelope) : new ProcessedKey(subscription, key);
        await using var write = writer.Begin(SubjectOf(envelope) with { IsDelivery = isDelivery }, slots);
        var repeats = true;
        while (repeats)
        {
            try
            {
                await store.MarkDispatchedAsync(processed, services.Abort);
                return;
            }
            catch (Exception exception)
            {
                repeats = await write.TryRepeatAsync(exception);
            }
        }
    }

    /// <summary>Asks the store for a claim, until it answers.</summary>
    /// <returns>The answer, and the time of the call that got it. The lease began no earlier than that.</returns>
    private async Task<(ProcessedClaim Found, DateTimeOffset AskedAt)> TryClaimAsync(EventClaim claim, ConcurrencyLimiter slots)
    {
        await using var write = writer.Begin(claim.Subject, slots);
        while (true)
        {
            try
            {
                var askedAt = services.StoreTime.GetUtcNow();
                return (await store.ClaimAsync(claim.Key, claim.Fingerprint, askedAt, settings.Lease, services.Abort), askedAt);
            }
            catch (Exception exception)
            {
                await write.RepeatAsync(exception);
            }
        }
    }

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

    private ProcessedKey KeyOf(Envelope envelope) => new(subscription, envelope.Uuid);

    private WriteSubject SubjectOf(Envelope envelope) => new(subscription, envelope.Name, envelope.Id, ProbeAsync);

    /// <summary>
    /// Checks whether the store accepts writes at all: claims and releases a key that belongs to no event.
    /// </summary>
    private async Task ProbeAsync(CancellationToken cancellationToken)
    {
        var now = services.StoreTime.GetUtcNow();
        var key = new ProcessedKey("eventbus/probe", $"{now.UtcTicks}");
        var claim = await store.ClaimAsync(key, 0, now, settings.Lease, cancellationToken);
        await store.ReleaseAsync(key, claim.FencingToken, cancellationToken);
    }

    /// <summary>Returns the first 64 bits of the body's SHA-256 hash; 1 instead of 0, which means unknown.</summary>
    private static long Fingerprint(Envelope envelope)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(envelope.Body.Span, hash);
        var value = BitConverter.ToInt64(hash);
        return value == 0 ? 1 : value;
    }
}
