using EventBus.Transports;

namespace EventBus;

/// <content>The end of partitions, and their restart in an ordered subscription.</content>
internal sealed partial class UnackedRecords
{
    /// <summary>
    /// Offers no more records of partitions that are being given away, and withdraws those that the bus has not taken.
    /// Those that it has taken can still be settled.
    /// </summary>
    public void StopOffering(IReadOnlyCollection<KafkaPartition> partitions)
    {
        lock (gate)
        {
            foreach (var partition in partitions)
            {
                partition.IsOffering = false;
                ChangeWaiting(partition, -partition.Waiting);
            }

            Withdraw(partitions.Contains);
            OfferWaiting();
        }
    }

    /// <summary>
    /// Ends the ownership of a partition. The deliveries that the bus has taken are lost, and a settlement of them
    /// changes nothing.
    /// </summary>
    /// <param name="partition">The partition.</param>
    /// <returns>
    /// The watermark, or null if it has not moved since it was last drained; and the number of deliveries that are
    /// lost.
    /// </returns>
    public (RecordPosition? Watermark, int LostDeliveries) End(KafkaPartition partition)
    {
        int lost;
        RecordPosition? watermark;
        lock (gate)
        {
            if (partition.HasEnded)
            {
                return (null, 0);
            }

            partition.HasEnded = true;
            owned.Remove(partition);
            EndCaution(partition);
            partition.IsOffering = false;
            lost = partition.Taken;
            taken -= lost;
            partition.Taken = 0;
            ChangeWaiting(partition, -partition.Waiting);
            Withdraw(each => each == partition);
            watermark = partition.HasMoved ? partition.Ring.Watermark : null;
            OfferWaiting();
            WakePoller();
        }

        if (lost > 0)
        {
            // The callbacks run on the thread pool, because they must not delay the poll thread.
            _ = partition.Lost.CancelAsync().Observed();
        }
        else
        {
            partition.Lost.Dispose();
        }

        return (watermark, lost);
    }

    /// <summary>Records that everything before an offset was received or is no record.</summary>
    public void ReachedEnd(KafkaPartition partition, long offset)
    {
        lock (gate)
        {
            partition.End = Math.Max(partition.End, offset);
            if (partition.FirstEnd < 0)
            {
                partition.FirstEnd = offset;
            }

            if (partition.IsCautious && partition.Ring.Count == 0 && partition.Uncommitted == 0)
            {
                EndCaution(partition);
                OfferWaiting();
            }
        }
    }

    /// <summary>
    /// Returns the partitions that are owned, each with the offset of the next record or -1 if it is unknown; and the
    /// number of events that are received and not settled.
    /// </summary>
    public (IReadOnlyList<(string Topic, int Number, long Next)> Positions, int Unsettled) ReadProgress()
    {
        lock (gate)
        {
            return ([.. owned.Select(each => (each.Topic, each.Number, each.Next))], WaitingCount + HeldBackCount + offered.Count + taken);
        }
    }

    /// <summary>The number of records of a partition that are held until <see cref="Admit"/>.</summary>
    public int CountHeldBack(KafkaPartition partition)
    {
        lock (gate)
        {
            return partition.IsHeld ? partition.Waiting : 0;
        }
    }

    /// <summary>The number of records of a partition from the first one that is not done.</summary>
    public int CountFrom(KafkaPartition partition)
    {
        lock (gate)
        {
            return partition.Ring.Count;
        }
    }

    /// <summary>
    /// Makes all records of a partition wait that are not done, in their order. Their deliveries are lost.
    /// </summary>
    /// <returns>The source of the lost deliveries, which the caller cancels outside the lock.</returns>
    private CancellationTokenSource Restart(KafkaPartition partition)
    {
        Withdraw(each => each == partition);
        for (var record = partition.Ring.Head; record < partition.Ring.Tail; record++)
        {
            ref var slot = ref partition.Ring[record];
            if (slot.State == SlotState.Taken)
            {
                slot.EarlierDeliveries++;
                CountSettled(partition);
                Return(partition, ref slot);
            }
        }

        partition.NextToOffer = partition.Ring.Head;
        var lost = partition.Lost;
        partition.Lost = new CancellationTokenSource();
        return lost;
    }

    /// <summary>
    /// Leaves a released record to the next owner of its partition. In an ordered subscription the later events of its
    /// key are left too, so that none of them is acknowledged before it.
    /// </summary>
    private void Withhold(KafkaPartition partition, long record)
    {
        var key = partition.Ring[record].Envelope?.Key;
        var end = ordered ? partition.Ring.Tail : record + 1;
        for (var later = record; later < end; later++)
        {
            ref var slot = ref partition.Ring[later];
            if (slot.State == SlotState.Taken && (later == record || slot.Envelope?.Key == key))
            {
                CountSettled(partition);
                slot.State = SlotState.Waiting;
            }
        }
    }

    /// <summary>
    /// Removes the deliveries of partitions that are offered and not taken. Their records wait again.
    /// </summary>
    private void Withdraw(Func<KafkaPartition, bool> selects)
    {
        for (var count = offered.Count; count > 0; count--)
        {
            var (partition, record) = offered.Dequeue();
            if (selects(partition))
            {
                Return(partition, ref partition.Ring[record]);
                partition.NextToOffer = Math.Min(partition.NextToOffer, record);
            }
            else
            {
                offered.Enqueue((partition, record));
            }
        }
    }

    private void Return(KafkaPartition partition, ref RecordSlot slot)
    {
        slot.State = SlotState.Waiting;
        if (partition.IsOffering)
        {
            CountWaiting(partition);
        }
    }
}
