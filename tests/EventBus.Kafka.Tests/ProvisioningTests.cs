using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the topics that the bus creates, and what it says about those that it cannot use.</summary>
[NeedsBroker]
public sealed class ProvisioningTests
{
    private readonly string name = TestBroker.NewName();

    private string Topic => $"{name}-order-events";

    [Fact]
    public async Task Start_MissingTopics_AreCreatedAsTheOptionsSay()
    {
        var options = TestTransport.Options(name);
        (options.Partitions, options.ReplicationFactor, options.Retention) = (3, 1, TimeSpan.FromDays(30));

        await using var transport = await TestTransport.StartAsync(name, options);

        Assert.Equal(3, await PartitionsOfAsync(Topic));
        Assert.Equal("2592000000", await SettingOfAsync(Topic, "retention.ms"));
    }

    [Fact]
    public async Task Start_TwoInstancesAtOnce_CreateATopicOnce()
    {
        await using var first = TestTransport.Create(TestTransport.Options(name));
        await using var second = TestTransport.Create(TestTransport.Options(name));
        var token = TestContext.Current.CancellationToken;

        await Task.WhenAll(
            first.StartAsync(TestTransport.Topology(name), token).AsTask(),
            second.StartAsync(TestTransport.Topology(name), token).AsTask());

        Assert.Equal(6, await PartitionsOfAsync(Topic));
    }

    [Fact]
    public async Task Start_ExistingTopic_IsUsedAsItIs()
    {
        await RawClient.CreateTopicAsync(Topic, partitions: 1);

        await using var transport = await TestTransport.StartAsync(name);

        Assert.Equal(1, await PartitionsOfAsync(Topic));
        Assert.Equal([PublishOutcome.Accepted], await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("1")));
    }

    [Fact]
    public async Task Start_MissingTopicThatMustNotBeCreated_IsAnErrorWithTheCommand()
    {
        var options = TestTransport.Options(name);
        options.Provisioning = KafkaProvisioning.Validate;

        var error = await Assert.ThrowsAsync<EventBusException>(() => TestTransport.StartAsync(name, options));

        Assert.Contains($"The topic '{Topic}' is missing.", error.Message, StringComparison.Ordinal);
        Assert.Contains($"kafka-topics.sh --create --topic {Topic} --partitions 6", error.Message, StringComparison.Ordinal);
        Assert.Contains("KafkaOptions.Provisioning = Create", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ReplicationThatTheClusterCannotGive_IsAnErrorThatNamesTheOption()
    {
        var options = TestTransport.Options(name);
        options.ReplicationFactor = 3;

        var error = await Assert.ThrowsAsync<EventBusException>(() => TestTransport.StartAsync(name, options));

        Assert.Contains($"The topic '{Topic}' could not be created", error.Message, StringComparison.Ordinal);
        Assert.Contains("Set KafkaOptions.ReplicationFactor to at most the number of brokers", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Start_TooFewPartitions_IsAnErrorForAnOrderedSubscriptionOnly(bool ordered)
    {
        await RawClient.CreateTopicAsync(Topic, partitions: 2);
        var options = TestTransport.Options(name);
        options.Partitions = 4;
        using var log = new LogList();
        await using var transport = TestTransport.Create(options, log);
        var topology = TestTransport.Topology(name, Records.Subscription("s", "order.placed") with { Ordered = ordered });
        var starting = transport.StartAsync(topology, TestContext.Current.CancellationToken).AsTask();

        const string Expected = "has 2 partitions; KafkaOptions.Partitions is 4";
        if (ordered)
        {
            var error = await Assert.ThrowsAsync<EventBusException>(() => starting);
            Assert.Contains(Expected, error.Message, StringComparison.Ordinal);
        }
        else
        {
            await starting;
            Assert.Single(log.Texts, text => text.Contains(Expected, StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Start_TopicThatTheClusterRefuses_NamesAllProblems()
    {
        var options = TestTransport.Options(name);
        options.Provisioning = KafkaProvisioning.Validate;
        await using var transport = TestTransport.Create(options);
        var topology = TestTransport.Topology(name, Records.Subscription("s", "stock.low"));

        var error = await Assert.ThrowsAsync<EventBusException>(
            () => transport.StartAsync(topology, TestContext.Current.CancellationToken).AsTask());

        Assert.Contains(Topic, error.Message, StringComparison.Ordinal);
        Assert.Contains($"{name}-stock-events", error.Message, StringComparison.Ordinal);
    }

    private static async Task<int> PartitionsOfAsync(string topic)
    {
        using var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build();
        var found = await admin.DescribeTopicsAsync(TopicCollection.OfTopicNames([topic]));
        return found.TopicDescriptions[0].Partitions.Count;
    }

    private static async Task<string> SettingOfAsync(string topic, string setting)
    {
        using var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build();
        var found = await admin.DescribeConfigsAsync([new ConfigResource { Name = topic, Type = ResourceType.Topic }]);
        return found[0].Entries[setting].Value;
    }
}
