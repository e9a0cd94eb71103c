using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Lets the redelivered events of one subscription wait until they may be attempted: for their turn within the
/// subscription, and then until the coordinator lets them run. A claimed entry that waits is released meanwhile, if its
/// claim would count as an attempt.
/// </summary>
internal sealed class RedeliveryTurns(
    SubscriptionRuntime subscription, EntryReleaser releaser, RedeliveryLock redeliveryLock, BusServices services)
{
    private int waitingEntries;

    /// <summary>
    /// True while an entry whose earlier attempt may have ended the process waits for its turn. The entry was released
    /// to the store, so no entries of the subscription are claimed meanwhile.
    /// </summary>
    public bool EntryWaits => Volatile.Read(ref waitingEntries) > 0;

    /// <summary>Waits for the turn of an event within the subscription. The caller holds a slot.</summary>
    public async Task<RedeliveryLock.Turn> EnterAsync()
    {
        var entering = redeliveryLock.EnterAsync(services.Abort);
        await subscription.Slots.WaitWithoutAsync(entering, services.Abort);
        return await entering;
    }

    /// <summary>
    /// Waits for the turn of a claimed entry. Null if the entry had to wait: it was released meanwhile, and can be
    /// claimed again now.
    /// </summary>
    public async Task<RedeliveryLock.Turn?> EnterAsync(FailedEvent entry)
    {
        if (!releaser.ClaimsAreAttempts)
        {
            return await EnterAsync();
        }

        var entering = redeliveryLock.EnterAsync(services.Abort);
        if (!entering.IsCompleted)
        {
            await ReleaseUntilAsync(entry, entering);
            (await entering).Dispose();
            return null;
        }

        return await entering;
    }

    /// <summary>Waits until the coordinator lets the event run. The caller holds a slot.</summary>
    public async Task<RedeliveryRun> BeginRunAsync(bool alone, ConcurrentMark mark)
    {
        var coordinator = redeliveryLock.Coordinator;
        var arrivedAt = services.Time.GetTimestamp();
        var run = coordinator.TryEnter(alone, arrivedAt, mark);
        while (run is null)
        {
            await subscription.Slots.WaitWithoutAsync(coordinator.WhenFreeAsync(alone, arrivedAt, services.Abort), services.Abort);
            run = coordinator.TryEnter(alone, arrivedAt, mark);
        }

        return run;
    }

    /// <summary>
    /// Lets a claimed entry run if the coordinator allows it. Null if the entry had to wait: it was released meanwhile,
    /// and can be claimed again now.
    /// </summary>
    public async Task<RedeliveryRun?> BeginRunAsync(bool alone, ConcurrentMark mark, FailedEvent entry)
    {
        if (!releaser.ClaimsAreAttempts)
        {
            return await BeginRunAsync(alone, mark);
        }

        var arrivedAt = services.Time.GetTimestamp();
        var coordinator = redeliveryLock.Coordinator;
        var run = coordinator.TryEnter(alone, arrivedAt, mark);
        if (run is null)
        {
            await ReleaseUntilAsync(entry, coordinator.WhenFreeAsync(alone, arrivedAt, services.Abort));
            return null;
        }

        coordinator.Undecided.Decide(entry);
        if (alone)
        {
            // No entry is claimed from now on. Those that are claimed already begin, or are released because of this
            // one: none of them must be claimed when it ends the process.
            await coordinator.WhenClaimsAreDecidedAsync(services.Abort);
        }

        return run;
    }

    /// <summary>
    /// Releases a claimed entry and waits until its turn may have come: if the process ended while it waits, its claim
    /// would count as an attempt.
    /// </summary>
    private async Task ReleaseUntilAsync(FailedEvent entry, Task free)
    {
        Interlocked.Increment(ref waitingEntries);
        try
        {
            await releaser.ReleaseAsync(entry, subscription.Slots);
            redeliveryLock.Coordinator.Undecided.Decide(entry);
            await subscription.Slots.WaitWithoutAsync(free, services.Abort);
        }
        finally
        {
            Interlocked.Decrement(ref waitingEntries);
        }
    }
}
