using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Releases entries to the group, so that any instance claims them: held entries, and unseen ones. Thread-safe.
/// </summary>
/// <remarks>
/// An unseen entry is pending for this consumer, but is not held: Redis delivered it in an answer that was lost or not
/// processed.
/// </remarks>
internal sealed class EntryReleaser(RedisConsumer consumer, UnackedEntries entries)
{
    // The maximum number of pending entries of a stream that are searched for unseen ones.
    private const int MaxSearched = 10_000;

    /// <summary>
    /// Releases entries, so that any instance claims them at once. If that fails, they are claimed after
    /// <see cref="RedisConsumer.ClaimAfter"/>.
    /// </summary>
    public async Task ReleaseAsync(IReadOnlyList<UnackedEntry> entriesToRelease)
    {
        foreach (var entry in entriesToRelease)
        {
            entries.Remove(entry);
        }

        try
        {
            var released = entriesToRelease
                .GroupBy(entry => entry.Stream)
                .Select(stream => consumer.Pending.ReleaseAsync(stream.Key, stream.Select(entry => (entry.Id, entry.Deliveries))));
            await Task.WhenAll(released).WaitAsync(EntrySettler.CloseTimeout, consumer.Time);
        }
        catch (Exception exception)
        {
            consumer.LogNotReleased(exception);
        }
    }

    /// <summary>Releases the unseen entries.</summary>
    public Task ReleaseUnseenAsync() => Task.WhenAll(consumer.Group.Streams.Select(ReleaseUnseenAsync));

    private async Task ReleaseUnseenAsync(RedisKey stream)
    {
        try
        {
            var held = entries.IdsOf(stream);
            var pending = await consumer.Pending.ListAsync(stream, null, null, MaxSearched);

            // The delivery in the lost answer does not count.
            var unseen = pending
                .Where(each => !held.Contains(each.MessageId) && !RedisPendingEntries.IsReleased(each))
                .Select(each => (each.MessageId, Math.Max(0L, each.DeliveryCount - 1)))
                .ToArray();
            if (unseen.Length > 0)
            {
                await consumer.Pending.ReleaseAsync(stream, unseen);
            }
        }
        catch (RedisServerException)
        {
            // The stream no longer exists, or the key or the rights to it have changed: there is nothing to release.
            // The other streams and the lease are still released.
        }
    }
}
