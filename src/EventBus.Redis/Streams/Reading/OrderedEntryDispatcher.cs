using StackExchange.Redis;

namespace EventBus;

/// <summary>Delivers the entries of an ordered subscription that were read under a fencing token.</summary>
internal sealed class OrderedEntryDispatcher(RedisConsumer consumer, EntryDispatcher dispatcher, OrderedEntrySettler settler)
{
    /// <summary>
    /// Delivers entries, and acknowledges those that are not for this subscription, if the epoch of the token
    /// continues.
    /// </summary>
    /// <param name="token">The fencing token under which the entries were read.</param>
    /// <param name="stream">The stream.</param>
    /// <param name="read">The entries, each with the number of earlier deliveries that may have been attempts.</param>
    /// <param name="requestedAt">The time of the request.</param>
    /// <param name="stop">Cancels the wait for the acknowledgement.</param>
    /// <returns>True if the epoch continues.</returns>
    public async Task<bool> TryTakeAsync(
        string token,
        RedisKey stream,
        IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> read,
        long requestedAt,
        CancellationToken stop)
    {
        var (subscribed, unsubscribed) = dispatcher.Convert(stream, read, requestedAt);
        if (!settler.TryDeliver(token, subscribed))
        {
            return false;
        }

        await consumer.Group.AckAsync(stream, unsubscribed, stop);
        return true;
    }
}
