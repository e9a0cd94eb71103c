using Confluent.Kafka;

namespace EventBus.Kafka.Tests;

/// <summary>Tests what the other tests and the proofs require of a private broker.</summary>
[NeedsBroker, Collection(typeof(PrivateBrokerCollection))]
public sealed class KafkaNodeTests(PrivateBroker broker)
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Broker_KilledOrStopped_KeepsWhatItHasAccepted(bool killed)
    {
        var topic = TestBroker.NewName();
        await RawClient.CreateTopicAsync(topic, address: broker.Node.Address);
        await RawClient.PublishAsync(topic, "k", "1"u8.ToArray(), address: broker.Node.Address);

        await (killed ? broker.Node.KillAsync() : broker.Node.StopAsync());
        await broker.Node.StartAsync();

        Assert.Equal("1"u8.ToArray(), RawClient.Read(topic, 1, broker.Node.Address)[0].Message.Value);
    }

    [Fact]
    public async Task Proxy_ThatRefuses_LeavesNoOtherWayToTheBroker()
    {
        var topic = TestBroker.NewName();
        await RawClient.CreateTopicAsync(topic, address: broker.Node.Address);
        var config = TestBroker.Config<ProducerConfig>(broker.Node.ProxiedAddress);
        config.MessageTimeoutMs = 2_000;
        using var producer = new ProducerBuilder<Null, byte[]>(config).Build();
        await PublishAsync();

        broker.Proxy.Refuse = true;
        broker.Proxy.Sever();
        await Assert.ThrowsAnyAsync<ProduceException<Null, byte[]>>(PublishAsync);
        broker.Proxy.Refuse = false;

        await PublishAsync();

        Task PublishAsync() =>
            producer.ProduceAsync(topic, new Message<Null, byte[]> { Value = [1] }, TestContext.Current.CancellationToken);
    }
}
