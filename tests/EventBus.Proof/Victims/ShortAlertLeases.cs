using EventBus.Stores;

namespace EventBus.Proof;

/// <summary>
/// A failure store that shortens the lease of alerts, which is more than a minute, so that the next process sends the
/// alerts that a killed process had claimed within the deadline of the proof.
/// </summary>
internal sealed class ShortAlertLeases(KeyedFailureStore inner) : DelegatingFailureStore(inner)
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    public override DeadLetterStore DeadLetters { get; } = new ShortLeaseDeadLetters(inner.DeadLetters);

    /// <summary>Wraps the failure store. A store that is only a queue of a broker has no leases of alerts.</summary>
    public static BusStores Wrap(BusStores stores) =>
        stores.Failures is KeyedFailureStore failures ? new ProofStores(stores, new ShortAlertLeases(failures)) : stores;

    private sealed class ShortLeaseDeadLetters(DeadLetterStore inner) : DelegatingDeadLetterStore(inner)
    {
        public override ValueTask<DueBatch<PendingAlert>> ClaimAlertsAsync(
            DateTimeOffset now,
            TimeSpan lease,
            int max,
            CancellationToken cancellationToken) =>
            base.ClaimAlertsAsync(now, lease < Longest ? lease : Longest, max, cancellationToken);
    }
}
