using EventBus.Stores;

namespace EventBus;

/// <summary>Releases claimed entries that were not attempted. Thread-safe.</summary>
internal sealed class EntryReleaser(FailureStoreWriter writer, BusServices services)
{
    /// <summary>
    /// True if a claim that ends with its process counts as an attempt even if the handler was not called: a claimed
    /// entry must be released while it waits.
    /// </summary>
    public bool ClaimsAreAttempts => writer.ClaimsAreAttempts;

    /// <summary>
    /// Releases a claimed entry that was not attempted, for example because its subscription was paused meanwhile. The
    /// entry is due again, and no attempt is counted.
    /// </summary>
    /// <remarks>
    /// An interrupted entry (<see cref="FailedEvent.WasInterrupted"/>) stays interrupted: its claim counted no attempt.
    /// Most stores do nothing for it, and it is due again when its lease expires.
    /// </remarks>
    public Task ReleaseAsync(FailedEvent entry, ConcurrencyLimiter slots) => entry.WasInterrupted
        ? writer.TryReleaseAsync(entry, slots)
        : writer.TryRecordAsync(NotAttempted(entry), slots);

    /// <summary>
    /// Releases a claimed entry that was not interrupted, like <see cref="ReleaseAsync"/>, when the bus stops: tries
    /// once, for at most 1 s. If that fails, the entry is due again when its lease expires. Never throws.
    /// </summary>
    public async Task ReleaseAtStopAsync(FailedEvent entry)
    {
        if (entry.WasInterrupted)
        {
            return;
        }

        try
        {
            await writer.RecordOnceAsync(NotAttempted(entry));
        }
        catch (Exception exception)
        {
            services.Log.NotReleased(entry.Subscription, entry.Envelope.Name, entry.Envelope.Id, exception);
        }
    }

    private FailedEvent NotAttempted(FailedEvent entry) =>
        entry with { Status = FailedEventStatus.Waiting, Attempts = entry.Attempts - 1, DueAt = services.StoreTime.GetUtcNow() };
}
