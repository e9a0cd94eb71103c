using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Manages the claims of one subscription on the quick path: in a store of this process, without waiting for another
/// attempt, and without a fingerprint, a custom key or a lease. Thread-safe.
/// </summary>
internal sealed class LocalClaims(IdempotencySettings settings, ProcessedEventStore store, BusServices services)
{
    private readonly string subscription = settings.Subscription;
    private readonly IdempotencyOptions options = settings.Options;
    private readonly LocalProcessedEventStore? local = store as LocalProcessedEventStore;
    private readonly TimestampClock clock = new(services.StoreTime);

    /// <summary>
    /// Claims an event. If it returns false, <see cref="EventClaims.ClaimAsync"/> must claim the event.
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

    /// <summary>Marks an event as handled whose handler has succeeded and published nothing.</summary>
    public void Complete(Envelope envelope, long fencingToken) =>
        local!.Complete(KeyOf(envelope), fencingToken, clock.Now() + options.Retention);

    /// <summary>Marks an event as handled, together with the events that its handler published.</summary>
    /// <returns>False if another attempt has the claim.</returns>
    public ValueTask<bool> CompleteAsync(Envelope envelope, long fencingToken, IReadOnlyList<Envelope> outbox) =>
        store.CompleteAsync(
            KeyOf(envelope),
            fencingToken,
            new Completion(outbox, [], services.StoreTime.GetUtcNow() + options.Retention),
            CancellationToken.None);

    /// <summary>Releases a claim.</summary>
    public ValueTask ReleaseAsync(Envelope envelope, long fencingToken) =>
        store.ReleaseAsync(KeyOf(envelope), fencingToken, CancellationToken.None);

    /// <summary>Gets the fencing token of a claimed event; 0 for none.</summary>
    public long FencingTokenOf(Envelope envelope) => envelope.Uuid != Guid.Empty ? local?.FencingTokenOf(KeyOf(envelope)) ?? 0 : 0;

    /// <summary>Gets the key of an event whose id is a UUID that a bus generated.</summary>
    public ProcessedKey KeyOf(Envelope envelope) => new(subscription, envelope.Uuid);
}
