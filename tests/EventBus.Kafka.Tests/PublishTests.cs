using System.Text;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests what is in the log of the broker, and the outcomes that the transport reports about it.</summary>
[NeedsBroker]
public sealed class PublishTests
{
    private readonly string name = TestBroker.NewName();

    private string Topic => $"{name}-order-events";

    [Fact]
    public async Task Publish_AnEvent_IsARecordThatOtherProgramsCanRead()
    {
        await using var transport = await TestTransport.StartAsync(name);

        var outcomes = await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("e-1", "order-123"));

        Assert.Equal([PublishOutcome.Accepted], outcomes);
        var record = Assert.Single(RawClient.Read(Topic, 1));
        Assert.Equal("{\"x\":\"\"}", Encoding.UTF8.GetString(record.Message.Value!));
        Assert.Equal("order-123", Encoding.UTF8.GetString(record.Message.Key!));
        Assert.True(record.Message.Timestamp.UtcDateTime > new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));
    }

    [Fact]
    public async Task Publish_ManyKeys_AreInThePartitionsOfOtherClients()
    {
        // The partition of a key in the default of the Java client and of kafkajs, with six partitions.
        string[] keys = ["", "order-123", "käse", .. Enumerable.Range(0, 50).Select(i => $"key-{i}")];
        await using var transport = await TestTransport.StartAsync(name);
        var outcomes = await transport.PublishAsync(
            TestBroker.Patience,
            [.. keys.Select(key => TestTransport.Event($"{key}!", key))]);
        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Accepted, outcome.Status));

        var records = RawClient.Read(Topic, keys.Length);

        Assert.Equal(
            keys.Select(key => (key, Murmur2.PartitionOf(key, 6))).Order(),
            records.Select(record => (Encoding.UTF8.GetString(record.Message.Key!), record.Partition.Value)).Order());
    }

    [Fact]
    public async Task Publish_CallsThatAreNotAwaited_KeepTheOrderOfAKey()
    {
        const int Count = 2_000;
        var options = TestTransport.Options(name);

        // Far below the number of calls, so that most of them wait in the queue.
        (options.MaxUnconfirmed, options.Partitions) = (10, 1);
        await using var transport = await TestTransport.StartAsync(name, options);

        var calls = Enumerable.Range(0, Count)
            .Select(i => transport.PublishAsync(TestBroker.Patience, TestTransport.Event($"{i}", "k")))
            .ToList();
        var outcomes = await Task.WhenAll(calls);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Accepted, outcome[0].Status));
        Assert.Equal(
            Enumerable.Range(0, Count).Select(i => $"{i}"),
            RawClient.Read(Topic, Count).Select(record => Encoding.UTF8.GetString(record.Message.Headers.GetLastBytes("ce_id"))));
    }

    [Fact]
    public async Task Publish_AListThatIsLongerThanWhatMayBeUnconfirmed_IsAcceptedInItsOrder()
    {
        const int Count = 1_000;
        var options = TestTransport.Options(name);
        (options.MaxUnconfirmed, options.Partitions) = (10, 1);
        await using var transport = await TestTransport.StartAsync(name, options);

        var outcomes = await transport.PublishAsync(
            TestBroker.Patience, [.. Enumerable.Range(0, Count).Select(i => TestTransport.Event($"{i}", "k"))]);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Accepted, outcome.Status));
        Assert.Equal(
            Enumerable.Range(0, Count).Select(i => $"{i}"),
            RawClient.Read(Topic, Count).Select(record => Encoding.UTF8.GetString(record.Message.Headers.GetLastBytes("ce_id"))));
    }

    [Fact]
    public async Task Publish_ListsOfTwoTopicsThatAreNotAwaited_KeepTheOrderOfEachTopic()
    {
        const int Count = 300;
        var options = TestTransport.Options(name);
        (options.MaxUnconfirmed, options.Partitions) = (4, 1);
        await using var transport = await TestTransport.StartAsync(name, options);

        var calls = Enumerable.Range(0, Count)
            .Select(i => transport.PublishAsync(
                TestBroker.Patience,
                TestTransport.Event($"a{i}", "k"),
                TestTransport.Event($"b{i}", "k", "stock.low"),
                TestTransport.Event($"c{i}", "k")))
            .ToList();
        var outcomes = await Task.WhenAll(calls);

        Assert.All(outcomes.SelectMany(each => each), outcome => Assert.Equal(PublishStatus.Accepted, outcome.Status));
        Assert.Equal(Enumerable.Range(0, Count).SelectMany(i => (string[])[$"a{i}", $"c{i}"]), Ids(Topic, 2 * Count));
        Assert.Equal(Enumerable.Range(0, Count).Select(i => $"b{i}"), Ids($"{name}-stock-events", Count));

        static IEnumerable<string> Ids(string topic, int count) =>
            RawClient.Read(topic, count).Select(record => Encoding.UTF8.GetString(record.Message.Headers.GetLastBytes("ce_id")));
    }

    [Fact]
    public async Task Publish_AnEventThatIsTooLarge_IsRejectedAndHoldsBackItsKeyOnly()
    {
        var options = TestTransport.Options(name);
        options.MaxRecordBytes = 100_000;
        await using var transport = await TestTransport.StartAsync(name, options);

        var outcomes = await transport.PublishAsync(
            TestBroker.Patience,
            TestTransport.Event("1", "a"),
            TestTransport.Event("2", "a", size: 200_000),
            TestTransport.Event("3", "a"),
            TestTransport.Event("4", "b"));

        Assert.Equal(
            [PublishStatus.Accepted, PublishStatus.Rejected, PublishStatus.Failed, PublishStatus.Accepted],
            outcomes.Select(outcome => outcome.Status));
        Assert.Contains("MaxRecordBytes", outcomes[1].Error!.Message, StringComparison.Ordinal);
        Assert.Equal(2, RawClient.Read(Topic, 2).Count);
    }

    [Fact]
    public async Task Publish_AnEventThatTheTopicRefuses_IsRejected()
    {
        var options = TestTransport.Options(name);
        options.MaxRecordBytes = 3_000_000;
        await using var transport = await TestTransport.StartAsync(name, options);

        var outcomes = await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("1", "a", size: 2_000_000));

        Assert.Equal(PublishStatus.Rejected, outcomes[0].Status);
        Assert.Contains("max.message.bytes", outcomes[0].Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_AnUndeclaredName_CreatesItsTopic()
    {
        await using var transport = await TestTransport.StartAsync(name);

        var outcomes = await transport.PublishAsync(
            TestBroker.Patience,
            TestTransport.Event("1", "a", "stock.low"),
            TestTransport.Event("2", "a", "stock.low"));

        Assert.Equal([PublishOutcome.Accepted, PublishOutcome.Accepted], outcomes);
        Assert.Equal(2, RawClient.Read($"{name}-stock-events", 2).Count);
    }

    [Fact]
    public async Task Publish_AnUndeclaredNameThatMustNotBeCreated_FailsAndSaysWhatToDo()
    {
        await RawClient.CreateTopicAsync(Topic);
        var options = TestTransport.Options(name);
        options.Provisioning = KafkaProvisioning.Validate;
        await using var transport = await TestTransport.StartAsync(name, options);

        var outcomes = await transport.PublishAsync(
            TestBroker.Patience, TestTransport.Event("1", "a", "stock.low"), TestTransport.Event("2", "a"));

        Assert.Equal([PublishStatus.Failed, PublishStatus.Failed], outcomes.Select(outcome => outcome.Status));
        Assert.Contains($"kafka-topics.sh --create --topic {name}-stock-events", outcomes[0].Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Publish_AfterTheDeadline_IsFailed()
    {
        await using var transport = await TestTransport.StartAsync(name);
        var outcomes = new PublishOutcome[1];

        await transport.PublishAsync(new[] { TestTransport.Event("1") }, outcomes, new CancellationToken(canceled: true));

        Assert.Equal(PublishStatus.Failed, outcomes[0].Status);
    }

    [Fact]
    public async Task Publish_AfterTheEnd_IsFailed()
    {
        var transport = await TestTransport.StartAsync(name);
        await transport.DisposeAsync();
        await transport.DisposeAsync();

        var outcomes = await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("1"));

        Assert.Equal(PublishStatus.Failed, outcomes[0].Status);
    }
}
