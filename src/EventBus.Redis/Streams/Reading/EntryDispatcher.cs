using System.Collections.Concurrent;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Delivers entries that were read to the bus, and acknowledges those that are not for the subscription. Thread-safe.
/// </summary>
internal sealed class EntryDispatcher(RedisConsumer consumer, UnackedEntries entries, EntrySettler settler)
{
    private readonly ConcurrentDictionary<RedisKey, bool> misplaced = new();
    private readonly RedisStringCache texts = new();
    private readonly TimeProvider time = consumer.Time;

    /// <summary>The requests for entries, and the entries that are in transit from Redis.</summary>
    public EntryRequests Requests { get; } = new(consumer.Time);

    /// <summary>Delivers entries to the bus, and acknowledges those that are not for this subscription.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="read">The entries, each with the number of earlier deliveries that may have been attempts.</param>
    /// <param name="askedAt">The time of the request.</param>
    /// <param name="stop">Cancels the wait for the acknowledgement.</param>
    public Task TakeAsync(
        RedisKey stream, IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> read, long askedAt, CancellationToken stop)
    {
        var (own, others) = Convert(stream, read, askedAt);
        foreach (var entry in own)
        {
            entries.AddAndDeliver(entry);
        }

        return consumer.Group.AckAsync(stream, others, stop);
    }

    /// <summary>
    /// Fetches and delivers entries that this consumer owns and has not delivered yet, about 1 MB at a time.
    /// </summary>
    /// <param name="stream">The stream.</param>
    /// <param name="unseen">The ids, each with the number of earlier deliveries that may have been attempts.</param>
    /// <param name="stop">Cancels the call.</param>
    public async Task FetchAsync(RedisKey stream, IReadOnlyList<(RedisValue Id, int EarlierDeliveries)> unseen, CancellationToken stop)
    {
        var earlier = unseen.ToDictionary(each => each.Id, each => each.EarlierDeliveries);
        var done = 0;
        while (done < unseen.Count)
        {
            using var request = Requests.BeginFetch(unseen.Count - done);
            var bulk = await consumer.Bulk.OpenAsync().Observed().WaitAsync(stop);
            var ids = unseen.Skip(done).Select(each => each.Id);
            var answer = await consumer.Group.FetchAsync(bulk, stream, ids).Observed().WaitAsync(stop);
            if (answer.Deleted > 0)
            {
                consumer.Log.EntriesDeleted(answer.Deleted, stream!, consumer.Group.Name);
            }

            var read = answer.Entries.Select(entry => (entry, earlier.GetValueOrDefault(entry.Id, 1)));
            await TakeAsync(stream, read, request.At, stop);
            done += answer.Done;
        }
    }

    /// <summary>Converts entries that were read, and records the position of the group.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="read">The entries, each with the number of earlier deliveries that may have been attempts.</param>
    /// <param name="askedAt">The time of the request.</param>
    /// <returns>
    /// The entries to deliver, and the ids of those that are not for this subscription and have to be acknowledged.
    /// </returns>
    public (List<UnackedEntry> Own, RedisValue[] Others) Convert(
        RedisKey stream, IEnumerable<(RedisEntry Entry, int EarlierDeliveries)> read, long askedAt)
    {
        // The server delivered the entries at most one blocking wait after the request, however long the answer took.
        var latestDelivery = askedAt + (long)(RedisConnector.Block.TotalSeconds * time.TimestampFrequency);
        var deliveredAt = Math.Min(time.GetTimestamp(), latestDelivery);
        var (own, others) = (new List<UnackedEntry>(), new List<RedisValue>());
        var last = RedisValue.Null;
        var late = 0;
        foreach (var (entry, earlier) in read)
        {
            last = entry.Id;
            var envelope = RedisWireFormat.Read(entry, stream, consumer.Names, texts);
            if (!consumer.Subscription.Matches(envelope.Name) && envelope.Name != consumer.Names.UnreadableNameOf(stream))
            {
                others.Add(entry.Id);
                ReportMisplaced(stream, envelope);
                continue;
            }

            var ownedAt = Requests.OwnedAt(stream, entry.Id, deliveredAt);
            if (!consumer.Subscription.Ordered && time.GetElapsedTime(ownedAt) > consumer.KeepFor)
            {
                // The entry arrived so late that another instance may own it: it is not delivered here. The consumer
                // that claims it next delivers it.
                late++;
                continue;
            }

            own.Add(new UnackedEntry(settler, stream, entry.Id, envelope, earlier) { RenewedAt = ownedAt });
        }

        if (late > 0)
        {
            consumer.Log.DeliveriesLost(late, consumer.Subscription.Name);
        }

        // The entries arrive in stream order.
        consumer.Group.RecordRead(stream, last);
        return (own, [.. others]);
    }

    private void ReportMisplaced(RedisKey stream, Envelope envelope)
    {
        var rightStream = consumer.Names.StreamOf(envelope.Name);
        if (rightStream != stream && misplaced.TryAdd(stream, true))
        {
            consumer.Log.Misplaced(stream!, envelope.Name, rightStream!, consumer.Subscription.Name);
        }
    }
}
