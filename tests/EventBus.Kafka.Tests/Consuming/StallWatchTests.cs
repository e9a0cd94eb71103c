using Confluent.Kafka;
using EventBus.Transports;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EventBus.Kafka.Tests;

public sealed class StallWatchTests : IDisposable
{
    private static readonly TopicPartition Partition = new("order-events", 0);

    private readonly FakeTimeProvider time = new();
    private readonly UnackedRecords records = new(capacity: 4, ordered: false);
    private readonly OwnedPartitions owned;
    private readonly ReceiverContext context;
    private readonly FlowControl flow;
    private readonly ReceiverState state;
    private readonly OffsetReset reset;
    private readonly StallWatch watch;
    private readonly IConsumer<byte[]?, byte[]?> client;
    private readonly ScriptedConsumer script;

    public StallWatchTests()
    {
        var options = new KafkaOptions { ConnectionString = "127.0.0.1:1", MaxUncommitted = 1 };
        var subscription = new Subscription("mail", [EventPattern.Parse("order.placed")]);
        var names = new KafkaTopology(options, new TransportTopology("shop", [subscription], [], time));
        var connector = new KafkaConnector(options, registered: null, NullLoggerFactory.Instance);
        context = new ReceiverContext(subscription, connector, names);
        owned = new OwnedPartitions(records, time);
        flow = new FlowControl(owned, records, context);
        state = new ReceiverState(context);
        reset = new OffsetReset(owned, records, context, state);
        watch = new StallWatch(owned, flow, reset, context);
        (client, script) = ScriptedConsumer.Create(end: 5);
    }

    public void Dispose() => records.Dispose();

    /// <summary>The client does not repeat a question for the position of the group that is refused.</summary>
    [Fact]
    public void Check_OfAPartitionThatNeverBeganToBeRead_AssignsItAtThePositionOfTheGroupAndThenReplacesTheConsumer()
    {
        var partition = owned.Add(Partition);
        time.Advance(StallWatch.FirstLimit - TimeSpan.FromSeconds(1));
        watch.Check(client);
        Assert.Empty(script.Calls);

        time.Advance(TimeSpan.FromSeconds(1));
        watch.Check(client);
        Assert.Equal(["IncrementalUnassign", "IncrementalAssign"], script.Calls.TakeLast(2));
        Assert.Contains("Resume", script.Calls);
        Assert.Equal(3, partition.Start);

        time.Advance(StallWatch.FirstLimit);
        Assert.Throws<InvalidOperationException>(() => watch.Check(client));
    }

    /// <summary>The client says that it was refused: the limit of the watch need not pass.</summary>
    [Fact]
    public void AddAllUnread_AfterAMoment_AssignsThePartitionsThatWereNotRead()
    {
        var unread = owned.Add(Partition);
        var read = owned.Add(new TopicPartition("order-events", 1));
        records.Receive(read.Records, 0, null, envelope: null);
        reset.AddAllUnread();
        reset.ContinueIfDue(client);
        Assert.Empty(script.Calls);

        time.Advance(TimeSpan.FromSeconds(1));
        reset.ContinueIfDue(client);
        Assert.Equal(["Committed", "IncrementalUnassign", "IncrementalAssign"], script.Calls);
        Assert.Equal(3, unread.Start);
    }

    /// <summary>
    /// An open transaction ends the log for this reader, and the position of the group may be behind it.
    /// </summary>
    [Fact]
    public void Check_OfAPartitionWithAPositionBehindAnOpenTransaction_NeitherMovesItNorReportsALoss()
    {
        var partition = owned.Add(Partition);
        script.Log = new WatermarkOffsets(0, 2);
        for (var i = 0; i < 3; i++)
        {
            time.Advance(StallWatch.FirstLimit);
            watch.Check(client);
        }

        Assert.Equal(3, partition.Start);
        Assert.Equal(0, state.LostRanges);
    }

    /// <summary>Each question without an answer blocks the poll thread.</summary>
    [Fact]
    public void AddAllUnread_WhileTheClusterDoesNotAnswer_AsksForOnePartitionEveryFewSeconds()
    {
        _ = owned.Add(Partition);
        _ = owned.Add(new TopicPartition("order-events", 1));
        script.Position = null;
        reset.AddAllUnread();
        for (var second = 0; second < 10; second++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            reset.ContinueIfDue(client);
        }

        Assert.Equal(["Committed", "Committed"], script.Calls);
        script.Position = 3;
        time.Advance(TimeSpan.FromSeconds(5));
        reset.ContinueIfDue(client);
        Assert.Equal(2, script.Calls.Count(call => call == "IncrementalAssign"));
    }

    [Fact]
    public void Check_OfAPartitionThatWasRead_ResumesAndSeeksItAndThenReplacesTheConsumer()
    {
        var partition = owned.Add(Partition);
        records.Receive(partition.Records, 0, null, envelope: null);
        time.Advance(StallWatch.Limit);
        watch.Check(client);
        Assert.Equal(["QueryWatermarkOffsets", "Resume", "Seek"], script.Calls);

        time.Advance(StallWatch.Limit);
        Assert.Throws<InvalidOperationException>(() => watch.Check(client));
    }

    /// <summary>Each question without an answer blocks the poll thread, which must not miss a rebalance.</summary>
    [Fact]
    public void Check_WhileTheClusterDoesNotAnswer_AsksForOnePartitionEveryFewSeconds()
    {
        _ = owned.Add(Partition);
        _ = owned.Add(new TopicPartition("order-events", 1));
        script.Log = null;
        time.Advance(StallWatch.FirstLimit);
        for (var second = 0; second < 10; second++)
        {
            watch.Check(client);
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(["QueryWatermarkOffsets", "QueryWatermarkOffsets"], script.Calls);

        // The time without an answer counts: the partitions are checked as soon as there is one.
        script.Log = new WatermarkOffsets(0, 5);
        watch.Check(client);
        Assert.Contains("IncrementalAssign", script.Calls);
    }

    /// <summary>A partition can be paused for as long as one handler runs.</summary>
    [Fact]
    public void Check_WithAPartitionThatIsPausedOnPurpose_StillChecksTheOthers()
    {
        var paused = owned.Add(new TopicPartition("order-events", 1));
        _ = owned.Add(Partition);
        records.Receive(paused.Records, 0, null, TestTransport.Event("0"));
        time.Advance(StallWatch.FirstLimit);
        flow.LimitUncommitted(client);
        Assert.True(paused.IsPaused);
        watch.Check(client);

        Assert.Single(script.Calls, "IncrementalAssign");
    }

    /// <summary>The client keeps a partition paused that it no longer has.</summary>
    [Fact]
    public void Lost_OfAPausedPartition_ResumesIt()
    {
        var partition = owned.Add(Partition);
        partition.IsPaused = true;
        new RebalanceHandler(owned, records, context).Lost(client, [new TopicPartitionOffset(Partition, 0)]);

        Assert.Equal(["Resume"], script.Calls);
        Assert.Empty(owned.All);
    }

    /// <summary>Records that are held must neither fill the memory nor slow the other partitions.</summary>
    [Fact]
    public void WaitForRoom_WithManyRecordsThatAreHeld_PausesTheirPartitionOnlyUntilTheyAreAdmitted()
    {
        var held = owned.Add(Partition);
        var other = owned.Add(new TopicPartition("order-events", 1));
        records.Admit(other.Records, uncleanEnds: 0);
        for (var offset = 0; offset < 64; offset++)
        {
            records.Receive(held.Records, offset, null, TestTransport.Event("held"));
        }

        time.Advance(TimeSpan.FromSeconds(2));
        Assert.True(flow.WaitForRoom(client) > TimeSpan.Zero);
        Assert.Equal((true, false), (held.IsPaused, other.IsPaused));
        flow.LimitUncommitted(client);
        Assert.True(held.IsPaused);

        records.Admit(held.Records, uncleanEnds: 0);
        for (var count = 0; count < 64; count++)
        {
            Assert.True(records.TryTake(out var delivery));
            records.Acknowledge(held.Records, delivery.Token);
        }

        flow.LimitUncommitted(client);
        Assert.False(held.IsPaused);
    }
}
