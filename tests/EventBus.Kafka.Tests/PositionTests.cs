using System.Text;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Kafka.Tests;

/// <summary>
/// Tests the positions of a group in logs whose offsets have gaps or begin later, and in topics with more partitions.
/// </summary>
[NeedsBroker]
public sealed class PositionTests
{
    private readonly string name = TestBroker.NewName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Topic => $"{name}-order-events";

    /// <summary>Markers and aborted records have offsets, and are never received.</summary>
    [Fact]
    public async Task Position_AmongTransactionsOfOthers_LeavesNothingWaitingAndRepeatsNothing()
    {
        await using (var receiver = await OpenAsync())
        {
            await receiver.PublishAsync("1");
            WriteTransaction(commits: true);
            WriteTransaction(commits: false);
            await receiver.PublishAsync("2");
            WriteTransaction(commits: false);

            Assert.Equal(["1", "2"], [await receiver.HandleAsync(), await receiver.HandleAsync()]);
            await Until.TrueAsync(
                "no event waits",
                async () => (await receiver.Transport.ReadBacklogAsync(Token)).Single().Waiting == 0,
                Token);
        }

        await using var next = await OpenAsync();
        await next.PublishAsync("3");
        Assert.Equal("3", await next.HandleAsync());
    }

    /// <summary>
    /// An open transaction ends the log for a reader, and what it contains is read when it is committed.
    /// </summary>
    [Fact]
    public async Task Position_BeginningDuringATransaction_IsBeforeIt()
    {
        await using (var transport = await TestTransport.StartAsync(name, TestReceiver.Options(name)))
        {
            await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("old"));
        }

        using var producer = BeginTransaction();
        await producer.ProduceAsync(Topic, Record("order.placed", "in the transaction"), Token);
        var options = TestReceiver.Options(name);
        options.FromBeginning = false;
        await using var receiver = await TestReceiver.OpenAsync(name, options);
        await receiver.PublishAsync("new");

        producer.CommitTransaction(TestBroker.Patience);

        Assert.Equal(["in the transaction", "new"], [await receiver.HandleAsync(), await receiver.HandleAsync()]);
    }

    /// <summary>Without the epoch the next owner cannot detect that the log was cut back.</summary>
    [Fact]
    public async Task Position_Committed_HasTheEpochOfItsRecord()
    {
        await using (var receiver = await OpenAsync())
        {
            await receiver.PublishAsync("1");
            await receiver.HandleAsync();
        }

        var config = TestBroker.Config<ConsumerConfig>();
        config.GroupId = $"{name}.mail";
        using var reader = new ConsumerBuilder<byte[], byte[]>(config).Build();
        var position = reader.Committed([new TopicPartition(Topic, 0)], TestBroker.Patience).Single();
        Assert.Equal((1, true), (position.Offset.Value, position.LeaderEpoch >= 0));
    }

    [Theory]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.CooperativeSticky)]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.Range)]
    [InlineData(KafkaGroupProtocol.Consumer, KafkaAssignor.CooperativeSticky)]
    public async Task Records_DeletedBeforeTheyWereRead_AreReportedAndReadingContinues(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        using var log = new LogList();
        var options = TestReceiver.Options(name, protocol);
        options.Assignor = assignor;
        await using (var receiver = await TestReceiver.OpenAsync(name, options))
        {
            await receiver.PublishAsync("1");
            await receiver.HandleAsync();
        }

        await using (var transport = await TestTransport.StartAsync(name))
        {
            await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("2"), TestTransport.Event("3"), TestTransport.Event("4"));
        }

        using (var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build())
        {
            await admin.DeleteRecordsAsync([new TopicPartitionOffset(Topic, 0, 3)]);
        }

        await using var next = await TestReceiver.OpenAsync(name, options, log);
        Assert.Equal("4", await next.HandleAsync());
        Assert.Single(log.Texts, text => text.Contains($"the records 1 to 2 of {Topic} [0] were removed", StringComparison.Ordinal));
        Assert.Equal(HealthStatus.Degraded, (await next.Transport.CheckHealthAsync(Token)).Status);
    }

    [Fact]
    public async Task Partition_AddedToATopic_IsReadFromItsFirstRecord()
    {
        var options = TestReceiver.Options(name).ConfigureClient(config => config.TopicMetadataRefreshIntervalMs = 500);
        options.FromBeginning = false;
        await using var receiver = await TestReceiver.OpenAsync(name, options);
        using (var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build())
        {
            await admin.CreatePartitionsAsync([new PartitionsSpecification { Topic = Topic, IncreaseTo = 2 }]);
        }

        using var producer = new ProducerBuilder<Null, byte[]>(TestBroker.Config<ProducerConfig>()).Build();
        await producer.ProduceAsync(new TopicPartition(Topic, 1), Record("order.placed", "first"), Token);

        Assert.Equal("first", await receiver.HandleAsync());
    }

    private static Message<Null, byte[]> Record(string eventName, string id) => new()
    {
        Value = "{}"u8.ToArray(),
        Headers = [new Header("type", Encoding.UTF8.GetBytes(eventName)), new Header("id", Encoding.UTF8.GetBytes(id))],
    };

    private Task<TestReceiver> OpenAsync() => TestReceiver.OpenAsync(name, TestReceiver.Options(name));

    /// <summary>Writes an event that no one subscribes to, in a transaction.</summary>
    private void WriteTransaction(bool commits)
    {
        using var producer = BeginTransaction();
        producer.Produce(Topic, Record("order.other", TestBroker.NewName()));
        producer.Flush(TestBroker.Patience);
        if (commits)
        {
            producer.CommitTransaction(TestBroker.Patience);
        }
        else
        {
            producer.AbortTransaction(TestBroker.Patience);
        }
    }

    private static IProducer<Null, byte[]> BeginTransaction()
    {
        var config = TestBroker.Config<ProducerConfig>();
        config.TransactionalId = TestBroker.NewName();
        var producer = new ProducerBuilder<Null, byte[]>(config).Build();
        producer.InitTransactions(TestBroker.Patience);
        producer.BeginTransaction();
        return producer;
    }
}
