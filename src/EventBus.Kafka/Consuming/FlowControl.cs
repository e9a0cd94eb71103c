using Confluent.Kafka;

namespace EventBus;

/// <summary>
/// Decides when and how long the poll thread polls. While the bus holds as many events as it may, the client is polled
/// twice a second only; what it returns waits in memory. Pausing partitions makes the client drop what it has fetched,
/// and is the last resort. Only the poll thread uses it.
/// </summary>
/// <param name="owned">The partitions of this instance.</param>
/// <param name="records">Their records.</param>
/// <param name="context">What the receiver is for.</param>
internal sealed class FlowControl(OwnedPartitions owned, UnackedRecords records, ReceiverContext context)
{
    /// <summary>The number of waiting records from which partitions are paused.</summary>
    public const int WaitingLimit = 8;

    // Beyond this, partitions are paused even right after a rebalance.
    private const int HardWaitingLimit = 64;

    // A partition whose records are held waits for notes and not for room. It has limits of its own.
    private const int HeldBackLimit = 16;
    private const int HardHeldBackLimit = 48;

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan TricklePeriod = TimeSpan.FromMilliseconds(500);

    // The client can leave a partition paused for good that is paused while it is assigned.
    private static readonly TimeSpan QuietTime = TimeSpan.FromSeconds(1);

    private bool isPaused;

    /// <summary>True if a partition is not read on purpose.</summary>
    public bool IsPaused(OwnedPartition partition) => isPaused || partition.IsPaused;

    private bool IsQuiet => context.Time.GetElapsedTime(owned.ChangedAt) >= QuietTime;

    /// <summary>Waits for room for further events if there is none.</summary>
    /// <returns>The time for which the client may be polled.</returns>
    public TimeSpan WaitForRoom(IConsumer<byte[]?, byte[]?> consumer)
    {
        LimitHeldBack(consumer);
        if (records.IsIntakeStopped)
        {
            PauseAll(consumer);
            return Poll;
        }

        if (isPaused)
        {
            if (!records.WaitForRoom(Poll, share: 2))
            {
                // Partitions that were assigned in the meantime are paused too.
                PauseAll(consumer);
                return TimeSpan.Zero;
            }

            isPaused = false;
            Resume(consumer, static _ => true);
        }
        else if (!records.HasRoom)
        {
            var waiting = records.WaitingCount;
            if (waiting >= HardWaitingLimit || (waiting >= WaitingLimit && IsQuiet))
            {
                isPaused = true;
                PauseAll(consumer);
                return TimeSpan.Zero;
            }

            return records.WaitForRoom(TricklePeriod, share: 4) ? Poll : TimeSpan.Zero;
        }

        return Poll;
    }

    /// <summary>
    /// Pauses a partition that has too many records behind one that is not handled, and resumes those that have not.
    /// </summary>
    public void LimitUncommitted(IConsumer<byte[]?, byte[]?> consumer)
    {
        var limit = context.Options.MaxUncommitted;
        foreach (var partition in owned.All)
        {
            if (!partition.IsPaused && records.CountFrom(partition.Records) >= limit && IsQuiet)
            {
                Pause(consumer, partition);
                context.Log.PartitionHeldUp(context.Name, partition.Partition.Topic, partition.Partition.Partition.Value, limit);
            }
        }

        if (!isPaused && !records.IsIntakeStopped)
        {
            Resume(consumer, partition => records.CountFrom(partition.Records) <= limit / 2);
        }
    }

    /// <summary>Pauses a partition that has too many records that are held.</summary>
    private void LimitHeldBack(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (records.HeldBackCount < HeldBackLimit)
        {
            return;
        }

        var limit = IsQuiet ? HeldBackLimit : HardHeldBackLimit;
        foreach (var partition in owned.All.Where(each => !each.IsPaused && records.CountHeldBack(each.Records) >= limit))
        {
            Pause(consumer, partition);
        }
    }

    private static void Pause(IConsumer<byte[]?, byte[]?> consumer, OwnedPartition partition)
    {
        consumer.Pause([partition.Partition]);
        partition.IsPaused = true;
    }

    private bool IsAdmitted(OwnedPartition partition) => records.CountHeldBack(partition.Records) < HeldBackLimit;

    private void PauseAll(IConsumer<byte[]?, byte[]?> consumer)
    {
        if (!IsQuiet && records.WaitingCount < HardWaitingLimit)
        {
            return;
        }

        foreach (var partition in owned.All.Where(each => !each.IsPaused))
        {
            Pause(consumer, partition);
        }
    }

    private void Resume(IConsumer<byte[]?, byte[]?> consumer, Func<OwnedPartition, bool> selects)
    {
        var now = context.Time.GetTimestamp();
        foreach (var partition in owned.All.Where(each => each.IsPaused && IsAdmitted(each) && selects(each)))
        {
            consumer.Resume([partition.Partition]);
            partition.IsPaused = false;
            partition.ProgressedAt = now;
        }
    }
}
