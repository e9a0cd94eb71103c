using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Handles the assignment, the revocation and the loss of partitions. The client calls it on the poll thread, within
/// <c>Consume</c> and <c>Close</c>. No method throws: the client would drop the record that it is about to return.
/// </summary>
/// <param name="owned">The partitions of this instance.</param>
/// <param name="records">Their records.</param>
/// <param name="settings">What the receiver is for.</param>
internal sealed class RebalanceHandler(OwnedPartitions owned, UnackedRecords records, ReceiverContext settings)
{
    private readonly PartitionPeriods periods = new(settings, records);

    /// <summary>True when the consumer closes: nothing is waited for.</summary>
    public bool IsClosing { get; set; }

    /// <summary>Completed when this instance gets a partition. Default: null.</summary>
    public TaskCompletionSource? Joined { get; set; }

    public void Assigned(IReadOnlyList<TopicPartition> partitions)
    {
        try
        {
            OwnedPartition[] added = [.. partitions.Select(owned.Add)];
            if (added.Length > 0)
            {
                periods.Begin(added);
                Joined?.TrySetResult();
            }

            settings.Log.PartitionsAssigned(settings.Name, partitions.Count, owned.All.Count);
        }
        catch (Exception exception)
        {
            Report(exception);
        }
    }

    /// <summary>
    /// Waits a limited time for what the bus still handles, stores the positions, and ends the ownership. The group
    /// waits for the return of this method.
    /// </summary>
    public void Revoked(IConsumer<byte[]?, byte[]?> consumer, IReadOnlyList<TopicPartitionOffset> partitions)
    {
        try
        {
            var revoked = Select(partitions);
            KafkaPartition[] given = [.. revoked.Select(each => each.Records)];
            records.StopOffering(given);
            var begun = settings.Time.GetTimestamp();
            var timeout = IsClosing ? TimeSpan.Zero : settings.RevocationTimeout;
            while (!records.WaitUntilSettled(given, Shorter(timeout - settings.Time.GetElapsedTime(begun)))
                && settings.Time.GetElapsedTime(begun) < timeout)
            {
                // The wait ended early, or is continued in short parts so that a stop ends it.
                if (settings.IsStopping)
                {
                    break;
                }
            }

            settings.Log.PartitionsRevoked(
                settings.Name,
                string.Join(", ", partitions.Select(each => each.TopicPartition)),
                settings.Time.GetElapsedTime(begun),
                given.Sum(each => each.Taken));
            Resume(consumer, revoked);
            periods.End(End(revoked, partition => OffsetWriter.Store(consumer, partition.Partition, partition.Watermark)));
            if (owned.All.Count == 0)
            {
                // The client reports no loss to a member without partitions, so its membership can end unnoticed.
                periods.Forget();
            }
        }
        catch (Exception exception)
        {
            Report(exception);
        }
    }

    /// <summary>
    /// Ends the ownership at once: another instance may own the partitions already, and nothing can be stored.
    /// </summary>
    public void Lost(IConsumer<byte[]?, byte[]?> consumer, IReadOnlyList<TopicPartitionOffset> partitions)
    {
        try
        {
            periods.Forget();
            var lost = Select(partitions);
            Resume(consumer, lost);
            End(lost, static _ => { });
        }
        catch (Exception exception)
        {
            Report(exception);
        }
    }

    /// <summary>Ends the ownership of all partitions that are left when the consumer has ended.</summary>
    public void EndAll() => End([.. owned.All], static _ => { });

    /// <summary>
    /// Resumes what is paused. The client keeps a partition paused after it is given away: it would read nothing of it
    /// when it gets it again, which after a rebalance of all partitions is at once.
    /// </summary>
    private static void Resume(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition[] ended)
    {
        TopicPartition[] paused = [.. ended.Where(partition => partition.IsPaused).Select(partition => partition.Partition)];
        if (paused.Length == 0)
        {
            return;
        }

        try
        {
            consumer.Resume(paused);
        }
        catch (KafkaException)
        {
            // A partition that then stands still is found later (StallWatch).
        }
    }

    private static TimeSpan Shorter(TimeSpan rest)
    {
        var part = TimeSpan.FromMilliseconds(100);
        return rest <= TimeSpan.Zero ? TimeSpan.Zero : rest < part ? rest : part;
    }

    private OwnedPartition[] Select(IReadOnlyList<TopicPartitionOffset> partitions) =>
        [.. partitions.Select(each => owned.Find(each.TopicPartition)).OfType<OwnedPartition>()];

    /// <summary>Ends the ownership of partitions.</summary>
    /// <returns>Those of which no delivery was left.</returns>
    private List<OwnedPartition> End(OwnedPartition[] ended, Action<(KafkaPartition Partition, RecordPosition Watermark)> store)
    {
        var lost = 0;
        var settled = new List<OwnedPartition>();
        foreach (var partition in ended)
        {
            var (watermark, taken) = records.End(partition.Records);
            lost += taken;
            if (taken == 0)
            {
                settled.Add(partition);
            }

            if (watermark is { } moved)
            {
                store((partition.Records, moved));
            }

            owned.Remove(partition);
        }

        if (lost > 0)
        {
            settings.Log.DeliveriesLost(lost, settings.Name);
        }

        return settled;
    }

    private void Report(Exception exception)
    {
        try
        {
            settings.Log.RebalanceFailed(settings.Name, exception);
        }
        catch (Exception)
        {
            // A logger that throws changes nothing.
        }
    }
}
