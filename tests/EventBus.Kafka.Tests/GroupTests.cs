using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the removal of groups, and the counts of members.</summary>
[NeedsBroker]
public sealed class GroupTests
{
    private readonly string name = TestBroker.NewName();

    private string Topic => $"{name}-order-events";

    private string Group => $"{name}.mail";

    [Fact]
    public async Task Retire_GroupForWhichEventsWait_IsAnErrorUnlessTheyAreDiscarded()
    {
        await using var transport = await TestTransport.StartAsync(name);
        await CommitBeginningAsync(Group);
        await CommitBeginningAsync(KafkaGroupNames.PeriodsOf(Group));
        await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("1"), TestTransport.Event("2"));

        var error = await Assert.ThrowsAsync<EventBusException>(() => RetireAsync(transport, discardWaiting: false));
        await RetireAsync(transport, discardWaiting: true);
        await RetireAsync(transport, discardWaiting: false);

        Assert.Contains($"2 events wait for the consumer group '{Group}'", error.Message, StringComparison.Ordinal);
        using var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build();
        Assert.DoesNotContain(
            (await admin.ListConsumerGroupsAsync()).Valid,
            group => group.GroupId.StartsWith(Group, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Retire_GroupWithAMember_IsAnError()
    {
        await using var transport = await TestTransport.StartAsync(name);
        var config = TestBroker.Config<ConsumerConfig>();
        (config.GroupId, config.AutoOffsetReset) = (Group, AutoOffsetReset.Earliest);
        using var member = new ConsumerBuilder<byte[], byte[]>(config).Build();
        member.Subscribe(Topic);
        await Until.TrueAsync(
            "the member has partitions",
            () => member.Consume(TimeSpan.FromMilliseconds(50)) is not null || member.Assignment.Count > 0,
            TestContext.Current.CancellationToken);

        var error = await Assert.ThrowsAsync<EventBusException>(() => RetireAsync(transport, discardWaiting: true));

        member.Close();
        Assert.Contains($"'{Group}' still has members", error.Message, StringComparison.Ordinal);
    }

    private static Task RetireAsync(Transport transport, bool discardWaiting) =>
        transport.RetireAsync("mail", discardWaiting, TestContext.Current.CancellationToken).AsTask();

    private async Task CommitBeginningAsync(string group)
    {
        using var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build();
        var beginnings = Enumerable.Range(0, 6).Select(partition => new TopicPartitionOffset(Topic, partition, 0)).ToList();
        await Until.TrueAsync("the coordinator of the group answers", WriteAsync, TestContext.Current.CancellationToken);

        async Task<bool> WriteAsync()
        {
            try
            {
                await admin.AlterConsumerGroupOffsetsAsync(
                    [new ConsumerGroupTopicPartitionOffsets(group, beginnings)],
                    new AlterConsumerGroupOffsetsOptions { RequestTimeout = TimeSpan.FromSeconds(5) });
                return true;
            }
            catch (KafkaException)
            {
                return false;
            }
        }
    }
}
