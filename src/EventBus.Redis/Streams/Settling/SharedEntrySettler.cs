using EventBus.Transports;

namespace EventBus;

/// <summary>Settles the entries of a subscription that all its instances read concurrently.</summary>
internal sealed class SharedEntrySettler(
    RedisConsumer consumer, UnackedEntries entries, EntryReleaser releaser, CancellationToken close)
    : EntrySettler(consumer, entries, close)
{
    /// <summary>
    /// Delivers the entry again: on this instance while it still takes new entries, otherwise on any instance.
    /// </summary>
    public override async ValueTask ReleaseAsync(UnackedEntry entry)
    {
        var next = entry.NextDelivery();
        if (Entries.TryReplace(entry, next) && !Entries.TryDeliver(next))
        {
            // The bus never received this delivery, so it does not count as an attempt.
            next.MayHaveStarted = false;
            await releaser.ReleaseAsync([next]);
        }
    }

    /// <summary>Releases the entries whose deliveries the bus has not read from the channel.</summary>
    public override async Task StopAsync() =>
        await ReleaseUnstartedAsync(RemoveUnstarted()).WaitAsync(CloseTimeout, Consumer.Time).Quietly();

    private async Task ReleaseUnstartedAsync(UnackedEntry[] unstarted)
    {
        // The order matters: an entry is unseen if it is pending and not held, and the second call ends the holding of
        // the unstarted entries.
        await releaser.ReleaseUnseenAsync();
        await releaser.ReleaseAsync([.. unstarted.Where(entry => entry.EndOwnership())]);
    }
}
