namespace EventBus.Stores;

/// <summary>Knows which events an idempotent subscription has handled. Thread-safe, and shared by all instances of an application where it is durable.</summary>
/// <remarks>
/// A key is claimed with a lease before the handler and completed after it; only a completed key suppresses. A claim whose lease ended is taken over by the next caller under a higher
/// number, and whoever held it before can no longer complete, renew or release it. A call that throws is tried again by the bus with the same arguments.
/// </remarks>
public abstract class ProcessedEventStore
{
    /// <summary>Whether <see cref="CompleteAsync"/> runs effects in the transaction that marks the key done. Default false.</summary>
    public virtual bool SupportsTransactions => false;

    /// <summary>Claims a key, or says that another holds it or that it is done, in one step.</summary>
    /// <param name="key">What was or is being handled.</param>
    /// <param name="fingerprint">Identifies the content; 0 for unknown. Kept with the claim.</param>
    /// <param name="now">The time.</param>
    /// <param name="lease">How long the caller holds it without renewing.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<ProcessedClaim> ClaimAsync(ProcessedKey key, long fingerprint, DateTimeOffset now, TimeSpan lease, CancellationToken cancellationToken);

    /// <summary>Prolongs a claim. False when it was lost.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fence">The claim's number.</param>
    /// <param name="until">When the lease ends now.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<bool> RenewAsync(ProcessedKey key, long fence, DateTimeOffset until, CancellationToken cancellationToken);

    /// <summary>Marks a claimed key done, keeps the events that its handler published, and runs the effects, in one commit: all or nothing. False, and nothing happened, when the claim was lost.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fence">The claim's number.</param>
    /// <param name="completion">What belongs to the commit.</param>
    /// <param name="cancellationToken">Ends the waiting, and is handed to the effects.</param>
    /// <exception cref="EffectException">An effect failed: nothing was committed, and trying again is the handler's business.</exception>
    public abstract ValueTask<bool> CompleteAsync(ProcessedKey key, long fence, Completion completion, CancellationToken cancellationToken);

    /// <summary>Forgets the events kept with a done key: they were sent.</summary>
    /// <param name="key">The key.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask DispatchedAsync(ProcessedKey key, CancellationToken cancellationToken);

    /// <summary>Gives a claim back: the next caller may claim the key at once. Nothing happens when the claim was lost.</summary>
    /// <param name="key">The key.</param>
    /// <param name="fence">The claim's number.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask ReleaseAsync(ProcessedKey key, long fence, CancellationToken cancellationToken);

    /// <summary>Removes keys whose retention has ended, and claims whose lease ended a day ago, which nobody takes over any more. A key whose events were not sent yet stays.</summary>
    /// <param name="now">The time.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    /// <returns>How many were removed.</returns>
    public abstract ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken);

    /// <summary>How many keys it holds, claimed and done.</summary>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public abstract ValueTask<long> CountAsync(CancellationToken cancellationToken);
}
