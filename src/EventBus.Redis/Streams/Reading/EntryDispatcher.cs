using System.Collections.Concurrent;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Delivers entries that were read to the bus, and acknowledges those that are not for the subscription. Thread-safe.
/// </summary>
internal sealed class EntryDispatcher(RedisConsumer consumer, UnackedEntries entries, EntrySettler settler)
{
    // The streams for which an event in the wrong stream was logged.
    private readonly ConcurrentDictionary<RedisKey, bool> reportedStreams = new();
    private readonly RedisStringCache strings = new();
    private readonly TimeProvider time = consumer.Time;

    /// <summary>The unfinished requests for entries.</summary>
    public EntryRequests Requests { get; } = new(consumer.Time);

    /// <summary>Delivers entries to the bus, and acknowledges those that are not for this subscription.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="read">The entries, each with the number of earlier deliveries that may have been attempts.</param>
    /// <param name="requestedAt">The time of the request.</param>
    /// <param name="stop">Cancels the wait for the acknowledgement.</param>
    public Task TakeAsync(
        RedisKey stream, IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> read, long requestedAt, CancellationToken stop)
    {
        var (subscribed, unsubscribed) = Convert(stream, read, requestedAt);
        foreach (var entry in subscribed)
        {
            entries.AddAndDeliver(entry);
        }

        return consumer.Group.AckAsync(stream, unsubscribed, stop);
    }

    /// <summary>
    /// Fetches and delivers entries that this consumer owns and has not delivered yet, about 1 MB at a time.
    /// </summary>
    /// <param name="stream">The stream.</param>
    /// <param name="unseen">The ids, each with the number of earlier deliveries that may have been attempts.</param>
    /// <param name="stop">Cancels the call.</param>
    public async Task FetchAsync(RedisKey stream, IReadOnlyList<(RedisValue Id, int EarlierDeliveries)> unseen, CancellationToken stop)
    {
        var earlierDeliveries = unseen.ToDictionary(each => each.Id, each => each.EarlierDeliveries);
        var processed = 0;
        while (processed < unseen.Count)
        {
            using var request = Requests.BeginFetch(unseen.Count - processed);
            var bulk = await consumer.Bulk.GetAsync(stop);
            var ids = unseen.Skip(processed).Select(each => each.Id);
            var answer = await consumer.Pending.FetchAsync(bulk, stream, ids).Observed().WaitAsync(stop);
            if (answer.Deleted > 0)
            {
                consumer.Log.EntriesDeleted(answer.Deleted, stream!, consumer.Group.Name);
            }

            var read = answer.Entries.Select(entry => (entry, earlierDeliveries.GetValueOrDefault(entry.Id, 1)));
            await TakeAsync(stream, read, request.BegunAt, stop);
            processed += answer.Processed;
        }
    }

    /// <summary>Converts entries that were read, and records the last of them.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="read">The entries, each with the number of earlier deliveries that may have been attempts.</param>
    /// <param name="requestedAt">The time of the request.</param>
    /// <returns>
    /// The entries to deliver, and the ids of those that are not for this subscription and have to be acknowledged.
    /// </returns>
    public (List<UnackedEntry> Subscribed, RedisValue[] Unsubscribed) Convert(
        RedisKey stream, IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> read, long requestedAt)
    {
        // The server delivered the entries at most one blocking wait after the request, however long the answer took.
        var latestDelivery = requestedAt + (long)(RedisConnector.BlockTime.TotalSeconds * time.TimestampFrequency);
        var now = time.GetTimestamp();
        var deliveredAt = Math.Min(now, latestDelivery);
        var subscribed = new List<UnackedEntry>();
        var unsubscribed = new List<RedisValue>();
        var last = RedisValue.Null;
        var late = 0;
        foreach (var (entry, earlierDeliveries) in read)
        {
            last = entry.Id;
            var envelope = RedisWireFormat.Read(entry, stream, consumer.Names, strings);
            if (!consumer.Subscription.Matches(envelope.Name) && envelope.Name != consumer.Names.UnreadableNameOf(stream))
            {
                unsubscribed.Add(entry.Id);
                ReportMisplaced(stream, envelope);
                continue;
            }

            var ownedAt = Requests.OwnedAt(stream, entry.Id, deliveredAt);
            if (!consumer.Subscription.Ordered && time.GetElapsedTime(ownedAt, now) > consumer.KeepFor)
            {
                // The entry arrived so late that another instance may own it. It is not delivered here, but by the
                // consumer that claims it next.
                late++;
                continue;
            }

            subscribed.Add(new UnackedEntry(settler, stream, entry.Id, envelope, earlierDeliveries) { RenewedAt = ownedAt });
        }

        if (late > 0)
        {
            consumer.Log.DeliveriesLost(late, consumer.Subscription.Name);
        }

        // The entries arrive in stream order, so this is the newest one.
        consumer.Group.RecordRead(stream, last);
        return (subscribed, [.. unsubscribed]);
    }

    /// <summary>Logs once for each stream that it contains an event whose subscriptions read another stream.</summary>
    private void ReportMisplaced(RedisKey stream, Envelope envelope)
    {
        var rightStream = consumer.Names.StreamOf(envelope.Name);
        if (rightStream != stream && reportedStreams.TryAdd(stream, true))
        {
            consumer.Log.Misplaced(stream!, envelope.Name, rightStream!, consumer.Subscription.Name);
        }
    }
}
