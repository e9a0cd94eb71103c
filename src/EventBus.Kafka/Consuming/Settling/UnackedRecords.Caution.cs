namespace EventBus;

/// <content>
/// Finds the event that ends its process. Its start is counted only if it counts as delivered before, and that can only
/// be said of the first events behind the committed position. Therefore the owner of a partition whose owner before has
/// not ended properly begins few events behind that position, and commits at once.
/// </content>
internal sealed partial class UnackedRecords
{
    // As many deliveries as the bus handles at once: it holds four for each of them.
    private readonly int cautiousCapacity = Math.Max(1, capacity / 4);
    private readonly HashSet<KafkaPartition> cautious = [];

    // The number of events of cautious partitions that are acknowledged and not committed.
    private int uncommitted;
    private bool isCommitDue;
    private bool isCommitting;

    /// <summary>True if nothing more is offered until the positions of cautious partitions are committed.</summary>
    public bool IsCommitNeeded
    {
        get
        {
            lock (gate)
            {
                return IsCommitNeededNow;
            }
        }
    }

    private bool IsCommitNeededNow => isCommitDue && !isCommitting && !IsRoomFor(1);

    private int Limit => cautious.Count > 0 ? cautiousCapacity : capacity;

    private int Held => offered.Count + taken + uncommitted;

    /// <summary>Offers the records of a partition that were held.</summary>
    /// <param name="partition">The partition.</param>
    /// <param name="uncleanEnds">
    /// The number of earlier owners that have not ended properly; 0 if the last one has. One of the first events may
    /// have ended their processes.
    /// </param>
    /// <param name="replay">The replay to which its first records belong; the default value for none.</param>
    public void Admit(KafkaPartition partition, int uncleanEnds, ReplayRecord replay = default)
    {
        lock (gate)
        {
            var held = partition.Waiting;
            ChangeWaiting(partition, -held);
            partition.IsHeld = false;
            ChangeWaiting(partition, held);
            partition.Replay = replay;
            if (partition.HasEnded || !partition.IsOffering)
            {
                return;
            }

            var isRead = partition.FirstEnd >= 0 && partition.Ring.Count == 0;
            if (uncleanEnds > 0 && !isRead)
            {
                BeginCaution(partition, uncleanEnds);
            }

            if (partition.Waiting > 0)
            {
                GetInLine(partition);
                OfferWaiting();
            }
        }
    }

    /// <summary>Ends the commit of the positions that were drained last.</summary>
    /// <param name="partitions">The cautious partitions in it.</param>
    /// <param name="succeeded">False if it failed: it is repeated with the next one.</param>
    public void EndCommit(IReadOnlyCollection<KafkaPartition> partitions, bool succeeded)
    {
        lock (gate)
        {
            isCommitting = false;
            foreach (var partition in partitions.Where(each => each.IsCautious))
            {
                if (succeeded)
                {
                    uncommitted -= partition.Committing;
                    partition.Uncommitted -= partition.Committing;
                    partition.Committing = 0;
                    EndCautionIfPassed(partition);
                }
                else if (!partition.HasMoved)
                {
                    partition.HasMoved = true;
                    moved.Add(partition);
                }
            }

            OfferWaiting();
            WakePoller();
        }
    }

    private void BeginCaution(KafkaPartition partition, int uncleanEnds)
    {
        partition.IsCautious = true;
        cautious.Add(partition);
        (partition.Redelivered, partition.EarlierDeliveries) = (cautiousCapacity, uncleanEnds);
        for (var record = partition.Ring.Head; record < partition.Ring.Tail && partition.Redelivered > 0; record++)
        {
            if (partition.Ring[record].State == SlotState.Waiting)
            {
                CountAsRedelivered(partition, record);
            }
        }
    }

    private static void CountAsRedelivered(KafkaPartition partition, long record)
    {
        ref var slot = ref partition.Ring[record];
        if (partition.FirstEnd >= 0 && slot.Offset >= partition.FirstEnd)
        {
            partition.Redelivered = 0;
            return;
        }

        partition.Redelivered--;
        slot.EarlierDeliveries = partition.EarlierDeliveries;
    }

    private void CountUncommitted(KafkaPartition partition, long record)
    {
        if (partition.Ring[record].Offered > 0)
        {
            partition.Uncommitted++;
            uncommitted++;
        }
    }

    private void BeginCommit(List<KafkaPartition> drained)
    {
        isCommitDue = false;
        foreach (var partition in drained.Where(each => each.IsCautious))
        {
            isCommitting = true;
            partition.Committing = partition.Uncommitted - CountDoneBehindTheFirst(partition.Ring);
        }
    }

    private static int CountDoneBehindTheFirst(OffsetRing ring)
    {
        var count = 0;
        for (var record = ring.Head; record < ring.Tail; record++)
        {
            count += ring[record] is { State: SlotState.Done, Offered: > 0 } ? 1 : 0;
        }

        return count;
    }

    private void EndCautionIfPassed(KafkaPartition partition)
    {
        var isPassed = partition.FirstEnd >= 0 && partition.Ring.Watermark is { } watermark && watermark.NextOffset >= partition.FirstEnd;
        if (isPassed || partition.Ring.Head >= cautiousRecords)
        {
            EndCaution(partition);
        }
    }

    private void EndCaution(KafkaPartition partition)
    {
        if (partition.IsCautious)
        {
            partition.IsCautious = false;
            cautious.Remove(partition);
            uncommitted -= partition.Uncommitted;
            (partition.Uncommitted, partition.Committing, partition.Redelivered) = (0, 0, 0);
        }
    }
}
