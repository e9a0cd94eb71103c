using EventBus.Transports;

namespace EventBus.Kafka.Tests;

public sealed class UnackedRecordsTests
{
    private const int Capacity = 4;

    [Fact]
    public void Release_OfAnUnorderedSubscription_OffersTheRecordAgainFromMemory()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0);
        var taken = ReceiveAndTake(records, partition, 0, 1, 2);
        records.Release(partition, taken[1].Token);

        Assert.True(records.TryTake(out var again));
        Assert.Equal(("1", 1), (again.Envelope.Id, again.EarlierDeliveries));
        Assert.False(taken[0].Lost.IsCancellationRequested);

        // The first delivery of the record was settled: it changes nothing.
        records.Acknowledge(partition, taken[1].Token);
        records.Acknowledge(partition, taken[0].Token);
        records.Acknowledge(partition, taken[2].Token);
        Assert.Equal(new RecordPosition(1, null), partition.Ring.Watermark);
        records.Acknowledge(partition, again.Token);
        Assert.Equal(new RecordPosition(3, null), partition.Ring.Watermark);
    }

    [Fact]
    public void Release_OfAnOrderedSubscription_LosesTheDeliveriesOfItsPartitionOnly()
    {
        using var records = new UnackedRecords(capacity: 16, ordered: true);
        var partition = records.Begin("order-events", 0);
        var other = records.Begin("order-events", 1);
        var taken = ReceiveAndTake(records, partition, 0, 1, 2);
        var ofOther = ReceiveAndTake(records, other, 0)[0];
        records.Receive(partition, 3, null, Event("3"));
        records.Acknowledge(partition, taken[0].Token);
        records.Release(partition, taken[1].Token);
        records.Acknowledge(partition, taken[2].Token);

        Assert.Equal(["1", "2", "3"], Enumerable.Range(0, 3).Select(_ => Take(records).Envelope.Id));
        Assert.False(ofOther.Lost.IsCancellationRequested);
        Assert.Equal(new RecordPosition(1, null), partition.Ring.Watermark);
    }

    /// <summary>They wait for an answer of the cluster, and room does not help them.</summary>
    [Fact]
    public void Receive_OfAPartitionThatIsHeld_LeavesTheOthersTheirRoom()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var held = records.Begin("order-events", 0, isHeld: true);
        var other = records.Begin("order-events", 1);
        for (var offset = 0; offset < 100; offset++)
        {
            records.Receive(held, offset, null, Event("held"));
        }

        Assert.Equal((0, 100, 100), (records.WaitingCount, records.HeldBackCount, records.CountHeldBack(held)));
        Assert.True(records.HasRoom);
        records.Receive(other, 0, null, Event("other"));
        Assert.Equal("other", Take(records).Envelope.Id);

        records.Admit(held, uncleanEnds: 0);
        Assert.Equal((97, 0, 0), (records.WaitingCount, records.HeldBackCount, records.CountHeldBack(held)));
        Assert.Equal("held", Take(records).Envelope.Id);
        records.End(held);
        Assert.Equal((0, 0), (records.WaitingCount, records.HeldBackCount));
    }

    [Fact]
    public void End_OfAPartitionThatIsHeld_LeavesNothingHeld()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var held = records.Begin("order-events", 0, isHeld: true);
        records.Receive(held, 0, null, Event("held"));
        records.StopOffering([held]);
        records.End(held);
        records.Admit(held, uncleanEnds: 1);

        Assert.Equal((0, 0), (records.WaitingCount, records.HeldBackCount));
        Assert.True(records.HasRoom);
    }

    [Fact]
    public void StopIntake_WithTakenDeliveries_IsDrainedWhenTheLastIsSettled()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0);
        var taken = ReceiveAndTake(records, partition, 0, 1);
        records.Receive(partition, 2, null, Event("2"));
        records.StopIntake();

        Assert.False(records.IsDrained);
        records.Acknowledge(partition, taken[0].Token);
        Assert.False(records.IsDrained);
        records.Release(partition, taken[1].Token);
        Assert.True(records.IsDrained);
        Assert.False(records.TryTake(out _));
    }

    [Fact]
    public void End_WithTakenDeliveries_LosesThemAndIgnoresTheirSettlement()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0);
        var taken = ReceiveAndTake(records, partition, 5, 9);
        records.Acknowledge(partition, taken[0].Token);
        records.StopOffering([partition]);

        Assert.Equal((new RecordPosition(6, null), 1), records.End(partition));
        Assert.Equal((null, 0), records.End(partition));
        records.Acknowledge(partition, taken[1].Token);
        Assert.Equal(new RecordPosition(6, null), partition.Ring.Watermark);
        Assert.Empty(records.DrainMoved());

        // The partition comes back: what a delivery of the earlier period says does not count.
        var again = records.Begin("order-events", 0);
        ReceiveAndTake(records, again, 9);
        records.Acknowledge(partition, taken[1].Token);
        Assert.Null(again.Ring.Watermark);
    }

    [Fact]
    public void StopOffering_WithOfferedDeliveries_WithdrawsThem()
    {
        using var records = new UnackedRecords(Capacity, ordered: true);
        var (given, kept) = (records.Begin("order-events", 0), records.Begin("order-events", 1));
        for (var i = 0; i < 2; i++)
        {
            records.Receive(given, i, null, Event($"given {i}"));
            records.Receive(kept, i, null, Event($"kept {i}"));
        }

        records.StopOffering([given]);
        Assert.Equal(["kept 0", "kept 1"], Enumerable.Range(0, 2).Select(_ => Take(records).Envelope.Id));
        Assert.False(records.TryTake(out _));
        Assert.False(records.Receive(given, 2, null, Event("given 2")));
        Assert.True(records.WaitUntilSettled([given], TimeSpan.Zero));
    }

    [Fact]
    public void Release_AfterTheStopInAnOrderedSubscription_LeavesTheLaterEventsOfTheKeyUnacknowledged()
    {
        using var records = new UnackedRecords(capacity: 16, ordered: true);
        var partition = records.Begin("order-events", 0);
        foreach (var (offset, key) in new[] { (0, "a"), (1, "b"), (2, "a"), (3, "b") })
        {
            records.Receive(partition, offset, null, Event($"{offset}", key));
        }

        var taken = Enumerable.Range(0, 4).Select(_ => Take(records)).ToArray();
        records.StopIntake();
        records.Release(partition, taken[0].Token);
        records.Acknowledge(partition, taken[1].Token);
        records.Acknowledge(partition, taken[2].Token);
        records.Acknowledge(partition, taken[3].Token);
        Assert.Null(partition.Ring.Watermark);
        Assert.Equal(
            [SlotState.Waiting, SlotState.Done, SlotState.Waiting, SlotState.Done],
            Enumerable.Range(0, 4).Select(record => partition.Ring[record].State));
        Assert.False(records.TryTake(out _));
    }

    [Fact]
    public void Receive_OfARecordReceivedBefore_IsDropped()
    {
        using var records = new UnackedRecords(Capacity, ordered: false);
        var partition = records.Begin("order-events", 0);
        Assert.True(records.Receive(partition, 7, 1, Event("7")));
        Assert.False(records.Receive(partition, 7, 1, Event("7")));
        Assert.False(records.Receive(partition, 6, 1, Event("6")));
        Assert.True(records.Receive(partition, 12, 1, envelope: null));
        records.Acknowledge(partition, Take(records).Token);
        Assert.Equal(new RecordPosition(13, 1), partition.Ring.Watermark);
    }

    private static Delivery[] ReceiveAndTake(UnackedRecords records, KafkaPartition partition, params int[] offsets)
    {
        foreach (var offset in offsets)
        {
            Assert.True(records.Receive(partition, offset, null, Event($"{offset}")));
        }

        return [.. offsets.Select(_ => Take(records))];
    }

    private static Delivery Take(UnackedRecords records)
    {
        Assert.True(records.TryTake(out var delivery));
        return delivery;
    }

    private static Envelope Event(string id, string? key = null) =>
        new(new EnvelopeAttributes { Id = id, Name = "order.placed", Key = key }, "{}"u8.ToArray());
}
