using EventBus.Transports;

namespace EventBus;

/// <summary>Settles the entries of a subscription that all its instances read concurrently.</summary>
internal sealed class SharedEntrySettler(RedisConsumer consumer, UnackedEntries entries, RedisAckQueue acks)
    : EntrySettler(consumer, entries, acks)
{
    /// <summary>Delivers the entry again: here while the intake runs, otherwise on any instance.</summary>
    public override async ValueTask ReleaseAsync(UnackedEntry entry)
    {
        var next = entry.Again();
        if (Entries.TryReplace(entry, next) && !Entries.TryDeliver(next))
        {
            next.MayHaveStarted = false;
            await ReleaseToGroupAsync([next]);
        }
    }

    /// <summary>Releases the entries that the bus has not taken.</summary>
    public override async Task StopAsync() =>
        await ReleaseUnstartedAsync(TakeBackUnstarted()).WaitAsync(CloseTimeout, Consumer.Time).Quietly();

    private async Task ReleaseUnstartedAsync(UnackedEntry[] unstarted)
    {
        // Runs before the buffered entries are released: afterwards they are no longer held here, and would count as
        // unseen.
        await ReleaseUnseenAsync();
        await ReleaseToGroupAsync([.. unstarted.Where(entry => entry.Lose())]);
    }
}
