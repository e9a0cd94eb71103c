using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Holds the records that a receiver owns until they are acknowledged, and offers their deliveries to the bus. Knows no
/// client and no clock. Thread-safe: one lock protects all partitions.
/// </summary>
/// <remarks>
/// A record is received on the poll thread, waits if the bus holds as many deliveries as it may, is offered, is taken
/// by the bus and is acknowledged. The position to store for the group is behind the records of a partition that are
/// done without a gap.
/// </remarks>
/// <param name="capacity">The number of deliveries that may be offered and not settled at the same time.</param>
/// <param name="ordered">True if the subscription is ordered.</param>
/// <param name="cautiousRecords">
/// The number of records behind its position that an owner of a partition can have begun.
/// </param>
internal sealed partial class UnackedRecords(int capacity, bool ordered, int cautiousRecords = 20_000)
{
    private readonly Lock gate = new();

    // The deliveries that are offered and not taken. Those of a partition are removed when it restarts or ends.
    private readonly Queue<(KafkaPartition Partition, long Record)> offered = new();

    // The partitions with records that wait, in the order in which they may offer one.
    private readonly Queue<KafkaPartition> waiting = new();

    // The partitions whose watermark has moved since they were last drained.
    private List<KafkaPartition> moved = [];

    private readonly HashSet<KafkaPartition> owned = [];

    // The number of deliveries that the bus has taken and not settled, over all partitions.
    private int taken;
    private volatile bool isIntakeStopped;

    /// <summary>
    /// The number of records that wait for room, over all partitions. Those that are held until <see cref="Admit"/> do
    /// not count: room does not help them, and they must not slow the other partitions.
    /// </summary>
    public int WaitingCount { get; private set; }

    /// <summary>The number of records that are held until <see cref="Admit"/>, over all partitions.</summary>
    public int HeldBackCount { get; private set; }

    /// <summary>Begins to own a partition.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="number">The number of the partition in its topic.</param>
    /// <param name="isHeld">True to offer its records only after <see cref="Admit"/>.</param>
    public KafkaPartition Begin(string topic, int number, bool isHeld = false)
    {
        var partition = new KafkaPartition(this, topic, number) { IsHeld = isHeld };
        lock (gate)
        {
            owned.Add(partition);
        }

        return partition;
    }

    /// <summary>Receives a record, and offers it if there is room.</summary>
    /// <param name="partition">Its partition.</param>
    /// <param name="offset">Its offset.</param>
    /// <param name="leaderEpoch">The epoch of its leader; null if it is unknown.</param>
    /// <param name="envelope">The event; null if the record is not for this subscription.</param>
    /// <returns>
    /// False if it was dropped: it was received before, or the partition is given away, or the intake has stopped.
    /// </returns>
    public bool Receive(KafkaPartition partition, long offset, int? leaderEpoch, Envelope? envelope)
    {
        lock (gate)
        {
            if (!partition.IsOffering || isIntakeStopped || offset <= partition.LastOffset)
            {
                return false;
            }

            partition.LastOffset = offset;
            partition.LastLeaderEpoch = leaderEpoch;
            var record = partition.Ring.Add(offset, leaderEpoch, envelope);
            if (envelope is null)
            {
                Complete(partition, record);
                return true;
            }

            if (partition.Redelivered > 0)
            {
                CountAsRedelivered(partition, record);
            }

            CountWaiting(partition);
            OfferWaiting();
            return true;
        }
    }

    /// <summary>Acknowledges a delivery. Does nothing if it is settled or lost.</summary>
    public void Acknowledge(KafkaPartition partition, long token)
    {
        lock (gate)
        {
            if (!partition.TryFind(token, out var record))
            {
                return;
            }

            CountSettled(partition);
            Complete(partition, record);
            OfferWaiting();
            WakePoller();
        }
    }

    /// <summary>
    /// Releases a delivery: it is offered again. In an ordered subscription all deliveries of the partition are lost
    /// and offered again, from the first one that is not acknowledged. After the intake has stopped, or while the
    /// partition is given away, the record stays with the group instead.
    /// </summary>
    public void Release(KafkaPartition partition, long token)
    {
        CancellationTokenSource? lost = null;
        lock (gate)
        {
            if (!partition.TryFind(token, out var record))
            {
                return;
            }

            if (!partition.IsOffering || isIntakeStopped)
            {
                Withhold(partition, record);
            }
            else if (ordered)
            {
                lost = Restart(partition);
                OfferWaiting();
            }
            else
            {
                CountSettled(partition);
                partition.Ring[record].EarlierDeliveries++;
                Offer(partition, record);
            }

            WakePoller();
        }

        // The callbacks run on the thread pool: this thread is one of the bus.
        _ = lost?.CancelAsync().Observed();
    }

    /// <summary>
    /// Returns the partitions whose watermark has moved since the last call, each with its watermark.
    /// </summary>
    public IReadOnlyList<(KafkaPartition Partition, RecordPosition Watermark)> DrainMoved()
    {
        lock (gate)
        {
            if (moved.Count == 0)
            {
                return [];
            }

            var drained = moved;
            moved = [];
            foreach (var partition in drained)
            {
                partition.HasMoved = false;
            }

            BeginCommit(drained);

            return [.. drained.Where(partition => !partition.HasEnded).Select(partition => (partition, partition.Ring.Watermark!.Value))];
        }
    }

    private void Complete(KafkaPartition partition, long record)
    {
        if (partition.IsCautious)
        {
            CountUncommitted(partition, record);
        }

        if (partition.Ring.Complete(record))
        {
            Move(partition);
        }
    }

    private void Move(KafkaPartition partition)
    {
        isCommitDue |= partition.IsCautious;
        if (!partition.HasMoved)
        {
            partition.HasMoved = true;
            moved.Add(partition);
        }
    }

    private void CountWaiting(KafkaPartition partition)
    {
        ChangeWaiting(partition, 1);
        GetInLine(partition);
    }

    private void ChangeWaiting(KafkaPartition partition, int change)
    {
        partition.Waiting += change;
        if (partition.IsHeld)
        {
            HeldBackCount += change;
        }
        else
        {
            WaitingCount += change;
        }
    }

    private void GetInLine(KafkaPartition partition)
    {
        if (!partition.IsInLine && !partition.IsHeld)
        {
            partition.IsInLine = true;
            waiting.Enqueue(partition);
        }
    }

    private void CountSettled(KafkaPartition partition)
    {
        partition.Taken--;
        taken--;
    }

    /// <summary>Offers records that wait, one of each partition in turn, while there is room.</summary>
    private void OfferWaiting()
    {
        while (!isIntakeStopped && Held < Limit && waiting.TryDequeue(out var partition))
        {
            partition.IsInLine = false;
            if (partition.Waiting == 0 || !partition.IsOffering)
            {
                continue;
            }

            partition.NextToOffer = Math.Max(partition.NextToOffer, partition.Ring.Head);
            while (partition.Ring[partition.NextToOffer].State != SlotState.Waiting)
            {
                partition.NextToOffer++;
            }

            ChangeWaiting(partition, -1);
            Offer(partition, partition.NextToOffer++);
            if (partition.Waiting > 0)
            {
                partition.IsInLine = true;
                waiting.Enqueue(partition);
            }
        }
    }

    private void Offer(KafkaPartition partition, long record)
    {
        ref var slot = ref partition.Ring[record];
        slot.State = SlotState.Queued;
        slot.Offered++;
        offered.Enqueue((partition, record));
        WakeReader();
    }
}
