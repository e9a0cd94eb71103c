using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the partitions whose owner before has not ended properly.</summary>
public sealed class UnackedRecordsCautionTests
{
    private const int Capacity = 8;
    private const int CautiousCapacity = 2;

    [Fact]
    public void Receive_BeforeAdmit_HoldsTheRecords()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0, isHeld: true);
        Receive(records, partition, 0, 1);
        Assert.False(records.TryTake(out _));

        records.Admit(partition, uncleanEnds: 0);

        Assert.Equal([0, 0], Enumerable.Range(0, 2).Select(_ => Take(records).EarlierDeliveries));
    }

    [Fact]
    public void Admit_AfterUncleanEnds_CountsTheFirstEventsAsDeliveredBefore()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0, isHeld: true);
        records.Receive(partition, 3, null, envelope: null);
        Receive(records, partition, 4);
        records.Admit(partition, uncleanEnds: 3);
        Receive(records, partition, 5, 6);

        var first = Take(records);
        Assert.Equal((3, 3), (first.EarlierDeliveries, Take(records).EarlierDeliveries));
        records.Acknowledge(partition, first.Token);
        Commit(records, partition);
        Assert.Equal(0, Take(records).EarlierDeliveries);
    }

    [Fact]
    public void Admit_WithNothingLeftInTheLog_IsNotCautious()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0, isHeld: true);
        records.ReachedEnd(partition, 7);
        records.Admit(partition, uncleanEnds: 1);
        Receive(records, partition, 7);

        Assert.Equal((0, false), (Take(records).EarlierDeliveries, partition.IsCautious));
    }

    [Fact]
    public void Acknowledge_InACautiousPartition_OffersNothingBeforeTheCommit()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0, isHeld: true);
        records.Admit(partition, uncleanEnds: 1);
        Receive(records, partition, 0, 1, 2, 3);
        Delivery[] taken = [Take(records), Take(records)];
        Assert.False(records.TryTake(out _));

        records.Acknowledge(partition, taken[0].Token);
        records.Acknowledge(partition, taken[1].Token);
        Assert.False(records.TryTake(out _));
        Assert.True(records.IsCommitNeeded);

        records.DrainMoved();
        records.EndCommit([partition], succeeded: false);
        Assert.False(records.TryTake(out _));

        Commit(records, partition);
        Assert.True(records.TryTake(out _));
    }

    [Fact]
    public void EndCommit_BehindWhatTheOwnerBeforeCanHaveBegun_EndsTheCaution()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0, isHeld: true);
        Receive(records, partition, 0, 1);
        records.Admit(partition, uncleanEnds: 1);
        records.ReachedEnd(partition, 2);
        Receive(records, partition, 2, 3, 4, 5, 6);
        Delivery[] taken = [Take(records), Take(records)];
        foreach (var delivery in taken)
        {
            records.Acknowledge(partition, delivery.Token);
        }

        Commit(records, partition);

        Assert.False(partition.IsCautious);
        Assert.Equal([0, 0, 0, 0, 0], Enumerable.Range(0, 5).Select(_ => Take(records).EarlierDeliveries));
    }

    /// <summary>
    /// An event that ends the process is always among the first events behind the committed position, so that the next
    /// owner counts it; and nothing waits for good.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void CautiousPartitions_UnderRandomSteps_BeginFewEventsBehindTheCommittedPosition(bool ordered)
    {
        for (var seed = 0; seed < 300; seed++)
        {
            using var model = new CautionModel(new Random(seed), Capacity, CautiousCapacity, ordered);
            for (var step = 0; step < 200; step++)
            {
                model.Step();
            }

            model.Finish();
        }
    }

    private static void Receive(UnackedRecords records, KafkaPartition partition, params int[] offsets)
    {
        foreach (var offset in offsets)
        {
            var attributes = new EnvelopeAttributes { Id = $"{offset}", Name = "order.placed" };
            Assert.True(records.Receive(partition, offset, null, new Envelope(attributes, [])));
        }
    }

    private static Delivery Take(UnackedRecords records)
    {
        Assert.True(records.TryTake(out var delivery));
        return delivery;
    }

    private static void Commit(UnackedRecords records, KafkaPartition partition)
    {
        Assert.Equal([partition], records.DrainMoved().Select(moved => moved.Partition));
        records.EndCommit([partition], succeeded: true);
    }
}
