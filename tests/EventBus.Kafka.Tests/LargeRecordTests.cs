using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests records at the limits of a topic, which other programs may have set to more or less than the bus.</summary>
[NeedsBroker]
public sealed class LargeRecordTests
{
    private readonly string name = TestBroker.NewName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Topic => $"{name}-order-events";

    /// <summary>The client fetches 1 MB of a partition at a time, and the record has 15.</summary>
    [Fact]
    public async Task Record_LargerThanAFetch_IsReceivedAndStopsNoneBehindIt()
    {
        const int Size = 15_000_000;
        await CreateTopicAsync(maxBytes: 16_000_000);
        var config = TestBroker.Config<ProducerConfig>();
        config.MessageMaxBytes = 16_000_000;
        using var producer = new ProducerBuilder<Null, byte[]>(config).Build();
        await producer.ProduceAsync(Topic, Record("large", new byte[Size]), Token);
        await producer.ProduceAsync(Topic, Record("small", "{}"u8.ToArray()), Token);

        await using var receiver = await TestReceiver.OpenAsync(name, TestReceiver.Options(name));

        var large = await receiver.NextAsync();
        Assert.Equal(("large", Size), (large.Envelope.Id, large.Envelope.Body.Length));
        await large.AckAsync();
        Assert.Equal("small", await receiver.HandleAsync());
    }

    [Fact]
    public async Task Publish_AboveTheLimitOfItsTopic_IsRejectedAndOthersAreAccepted()
    {
        await CreateTopicAsync(maxBytes: 2_000);
        await using var transport = await TestTransport.StartAsync(name);

        var outcomes = await transport.PublishAsync(
            TestBroker.Patience,
            TestTransport.Event("1"),
            TestTransport.Event("2", size: 10_000),
            TestTransport.Event("3"));

        Assert.Equal(
            [PublishStatus.Accepted, PublishStatus.Rejected, PublishStatus.Accepted],
            outcomes.Select(outcome => outcome.Status));
    }

    private static Message<Null, byte[]> Record(string id, byte[] body) => new()
    {
        Value = body,
        Headers = [new Header("type", "order.placed"u8.ToArray()), new Header("id", System.Text.Encoding.UTF8.GetBytes(id))],
    };

    private async Task CreateTopicAsync(int maxBytes)
    {
        using var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build();
        await admin.CreateTopicsAsync([new TopicSpecification
        {
            Name = Topic,
            NumPartitions = 1,
            ReplicationFactor = 1,
            Configs = new() { ["max.message.bytes"] = maxBytes.ToString(CultureInfo.InvariantCulture) },
        }]);
    }
}
