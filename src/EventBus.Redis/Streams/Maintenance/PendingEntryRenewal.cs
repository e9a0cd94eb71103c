using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Renews the entries that a receiver owns, and ends the ownership of those that it cannot renew or no longer owns.
/// </summary>
internal sealed class PendingEntryRenewal(
    RedisConsumer consumer, UnackedEntries entries, EntryDispatcher dispatcher, EntrySettler settler)
{
    private const int PageSize = 100;

    /// <summary>The time between two renewals.</summary>
    public TimeSpan Period { get; } = consumer.ClaimAfter / 3;

    /// <summary>Renews all entries that this instance owns.</summary>
    public async Task RenewAllAsync(CancellationToken stop)
    {
        var heldByStream = entries.ToArray().GroupBy(entry => entry.Stream);
        await EachStream.RunAsync(heldByStream, held => RenewHeldAsync(held.Key, [.. held], stop));

        // The entries of an answer that is in transit are owned by this instance, but not held yet. In an ordered
        // subscription the lease covers them.
        var longestWait = dispatcher.Requests.LongestWait;
        if (!consumer.Subscription.Ordered && longestWait > Period / 2)
        {
            await EachStream.RunAsync(consumer.Group.Streams, stream => RenewInTransitAsync(stream, stop));
        }
    }

    /// <summary>Marks entries that could not be renewed as lost, before another instance can take them over.</summary>
    public Task ExpireAsync(CancellationToken stop)
    {
        settler.EndOwnership(entries.ToArray().Where(entry => consumer.Time.GetElapsedTime(entry.RenewedAt) > consumer.KeepFor));
        return Task.CompletedTask;
    }

    private async Task RenewInTransitAsync(RedisKey stream, CancellationToken stop)
    {
        // Renews only entries that were delivered since the oldest request. Entries whose ownership this instance has
        // ended are left to the next claim.
        var longestWait = dispatcher.Requests.LongestWait;
        if (longestWait is not null)
        {
            var sentAt = consumer.Time.GetTimestamp();
            var renewed = await consumer.Connector.AnswerAsync(consumer.Pending.RenewRecentAsync(stream, longestWait.Value), stop);
            dispatcher.Requests.RecordRenewal(stream, renewed, sentAt);
        }
    }

    private async Task RenewHeldAsync(RedisKey stream, UnackedEntry[] held, CancellationToken stop)
    {
        try
        {
            foreach (var page in held.Chunk(PageSize))
            {
                await consumer.Connector.AnswerAsync(RenewPageAsync(stream, page), stop);
            }
        }
        catch (Exception exception) when (RedisErrors.IsOfKey(exception))
        {
            // The key is not a stream, or the user has lost the right to it: nothing can renew the entries.
            settler.EndOwnership(held);
            throw;
        }
    }

    private async Task RenewPageAsync(RedisKey stream, UnackedEntry[] page)
    {
        var sentAt = consumer.Time.GetTimestamp();
        var gone = await consumer.Pending.RenewAsync(stream, page.Select(entry => entry.Id));
        foreach (var entry in page)
        {
            entry.RenewedAt = sentAt;
        }

        settler.EndOwnership(page.Where(entry => gone.Contains(entry.Id)));
    }
}
