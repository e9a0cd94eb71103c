using System.Globalization;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>
/// Tests records at the limits of a topic, which other programs may have set to more or less than the bus.
/// </summary>
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

    /// <summary>The limit of a topic is that of all records that are sent together, and not of one of them.</summary>
    [Fact]
    public async Task Publish_ManyToATopicThatTakesLess_AreAcceptedIfTheOptionSaysSo()
    {
        const int Limit = 100_000;
        await CreateTopicAsync(Limit);
        var options = TestTransport.Options(name);
        options.MaxRecordBytes = Limit;
        await using var transport = await TestTransport.StartAsync(name, options);

        var outcomes = await transport.PublishAsync(
            TestBroker.Patience,
            [.. Enumerable.Range(0, 500).Select(i => TestTransport.Event($"{i}", size: 1_000))]);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Accepted, outcome.Status));
    }

    [Fact]
    public async Task Start_TopicThatTakesLessThanTheClientSends_IsAWarningThatNamesBothSettings()
    {
        await CreateTopicAsync(maxBytes: 100_000);
        using var log = new LogList();
        await using var transport = await TestTransport.StartAsync(name, log: log);

        var text = Assert.Single(log.Texts, text => text.Contains("takes 100,000 bytes at once", StringComparison.Ordinal));
        Assert.Contains($"--topic {Topic} --add-config max.message.bytes=1000000", text, StringComparison.Ordinal);
        Assert.Contains("MaxRecordBytes", text, StringComparison.Ordinal);
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
