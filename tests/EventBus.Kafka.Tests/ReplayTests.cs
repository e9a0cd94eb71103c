using Confluent.Kafka;
using Confluent.Kafka.Admin;
using EventBus.Transports;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the replay of an existing subscription, and what is reported about events that are gone.</summary>
[NeedsBroker]
public sealed class ReplayTests
{
    private readonly string name = TestBroker.NewName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Topic => $"{name}-order-events";

    [Theory]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.CooperativeSticky)]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.Range)]
    [InlineData(KafkaGroupProtocol.Consumer, KafkaAssignor.CooperativeSticky)]
    public async Task Replay_FromTheBeginning_DeliversAgainWhatWasDeliveredBefore(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        var options = TestReceiver.Options(name, protocol);
        options.Assignor = assignor;
        await using var receiver = await TestReceiver.OpenAsync(name, options);
        await receiver.PublishAsync("1", "2");
        await HandleAsync(receiver, ("1", 0), ("2", 0));

        var number = await ReplayAsync(receiver, ReplayStart.FromBeginning);
        await receiver.PublishAsync("3");

        await HandleAsync(receiver, ("1", number), ("2", number), ("3", 0));
        Assert.True(await ReplayAsync(receiver, ReplayStart.FromBeginning) > number);
    }

    [Fact]
    public async Task Replay_FromAnOffset_BeginsThere()
    {
        await using var receiver = await OpenAsync();
        await receiver.PublishAsync("1", "2", "3");
        await HandleAsync(receiver, ("1", 0), ("2", 0), ("3", 0));

        var number = await ReplayAsync(receiver, ReplayStart.FromOffset(Topic, 0, 1));

        await HandleAsync(receiver, ("2", number), ("3", number));
    }

    [Fact]
    public async Task Replay_FromATime_BeginsWithTheFirstEventAfterIt()
    {
        await using var receiver = await OpenAsync();
        await receiver.PublishAsync("1");
        await HandleAsync(receiver, ("1", 0));
        var between = RawClient.Read(Topic, 1)[0].Message.Timestamp.UtcDateTime.AddMilliseconds(1);
        await Until.TrueAsync("the clock has moved on", () => TimeProvider.System.GetUtcNow().UtcDateTime > between, Token);
        await receiver.PublishAsync("2");
        await HandleAsync(receiver, ("2", 0));

        var number = await ReplayAsync(receiver, ReplayStart.FromTime(between));

        await HandleAsync(receiver, ("2", number));
    }

    /// <summary>The next process finds the position of the replay, and its number.</summary>
    [Fact]
    public async Task Replay_InterruptedByARestart_ContinuesWithItsNumber()
    {
        long number;
        await using (var receiver = await OpenAsync())
        {
            await receiver.PublishAsync("1", "2", "3");
            await HandleAsync(receiver, ("1", 0), ("2", 0), ("3", 0));
            number = await ReplayAsync(receiver, ReplayStart.FromBeginning);
            await HandleAsync(receiver, ("1", number));
        }

        await using var next = await OpenAsync();
        await next.PublishAsync("4");

        await HandleAsync(next, ("2", number), ("3", number), ("4", 0));
    }

    [Fact]
    public async Task Replay_WhileAnotherInstanceRuns_IsRefusedAndTheSubscriptionContinues()
    {
        await using var receiver = await OpenAsync();
        await receiver.PublishAsync("1");
        await HandleAsync(receiver, ("1", 0));
        await using (var other = await OpenAsync())
        {
            await Until.TrueAsync("the group has two members", async () => await CountMembersAsync() == 2, Token);

            var error = await Assert.ThrowsAsync<EventBusException>(() => ReplayAsync(receiver, ReplayStart.FromBeginning));

            Assert.Contains($"'{name}.mail' has members on other instances", error.Message, StringComparison.Ordinal);
        }

        await Until.TrueAsync("the group has one member", async () => await CountMembersAsync() == 1, Token);
        await receiver.PublishAsync("2");
        await HandleAsync(receiver, ("2", 0));
    }

    /// <summary>A position that is moved forward would skip events.</summary>
    [Fact]
    public async Task Replay_FromBehindThePosition_IsRefused()
    {
        await using var receiver = await OpenAsync();
        await receiver.PublishAsync("1", "2");
        await HandleAsync(receiver, ("1", 0), ("2", 0));

        var error = await Assert.ThrowsAsync<EventBusException>(() => ReplayAsync(receiver, ReplayStart.FromOffset(Topic, 0, 2)));
        var unknown = await Assert.ThrowsAsync<EventBusException>(() => ReplayAsync(receiver, ReplayStart.FromOffset(Topic, 7, 0)));
        await receiver.PublishAsync("3");

        Assert.Contains("nothing to replay", error.Message, StringComparison.Ordinal);
        Assert.Contains("has no position", unknown.Message, StringComparison.Ordinal);
        await HandleAsync(receiver, ("3", 0));
    }

    [Fact]
    public async Task Replay_BeforeAnotherHasHandledItsFirstEvent_IsRefusedWithTheNumberOfTheOther()
    {
        await using var receiver = await OpenAsync();
        await receiver.PublishAsync("1");
        await HandleAsync(receiver, ("1", 0));
        var number = await ReplayAsync(receiver, ReplayStart.FromBeginning);

        var error = await Assert.ThrowsAsync<EventBusException>(() => ReplayAsync(receiver, ReplayStart.FromBeginning));

        Assert.Contains($"The replay {number} of the subscription 'mail' is still under way", error.Message, StringComparison.Ordinal);
        await HandleAsync(receiver, ("1", number));
    }

    /// <summary>An event that is handled while the replay begins is settled before the position is moved.</summary>
    [Fact]
    public async Task Replay_WhileAHandlerRuns_WaitsForIt()
    {
        await using var receiver = await OpenAsync();
        await receiver.PublishAsync("1");
        var running = await receiver.NextAsync();
        var replaying = ReplayAsync(receiver, ReplayStart.FromBeginning);

        await running.AckAsync();
        var number = await replaying;

        Assert.False(running.Lost.IsCancellationRequested);
        await HandleAsync(receiver, ("1", number));
    }

    /// <summary>The call must not wait for its own limit, which is more than a minute.</summary>
    [Fact]
    public async Task Replay_WhileTheInstanceStops_EndsWithAnError()
    {
        var receiver = await OpenAsync();
        await receiver.PublishAsync("1");
        await receiver.NextAsync();
        var replaying = ReplayAsync(receiver, ReplayStart.FromBeginning);

        await receiver.DisposeAsync();

        var error = await Assert.ThrowsAsync<EventBusException>(() => replaying.WaitAsync(TestBroker.Patience, Token));
        Assert.Contains("'mail' stops", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_AtAnOffset_BeginsThereInThatPartition()
    {
        await using (var transport = await TestTransport.StartAsync(name, TestReceiver.Options(name)))
        {
            await transport.PublishAsync(TestBroker.Patience, TestTransport.Event("1"), TestTransport.Event("2"));
        }

        var options = TestReceiver.Options(name).FromOffset(Topic, 0, 1);
        options.FromBeginning = false;
        await using var receiver = await TestReceiver.OpenAsync(name, options);

        await HandleAsync(receiver, ("2", 0));
    }

    [Fact]
    public async Task Records_DeletedWhileTheyAreRead_BecomeOneDeadLetter()
    {
        const int Count = 600;
        await using var receiver = await TestReceiver.OpenAsync(name, TestReceiver.Options(name), concurrency: 1);

        // More than the client reads ahead.
        var events = Enumerable.Range(0, Count).Select(id => TestTransport.Event($"{id}", size: 30_000)).ToArray();
        Assert.All(
            await receiver.Transport.PublishAsync(TestBroker.Patience, events),
            outcome => Assert.Equal(PublishOutcome.Accepted, outcome));
        var first = await receiver.NextAsync();
        using (var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build())
        {
            await admin.DeleteRecordsAsync([new TopicPartitionOffset(Topic, 0, Count)]);
        }

        await receiver.PublishAsync("last");
        await first.AckAsync();
        while (await receiver.HandleAsync() != "last")
        {
            // What the client had read before.
        }

        var lost = await receiver.Transport.TakeBrokerDeadLetterAsync(Token);

        Assert.Equal(("mail", DeadLetterReason.DroppedByBroker), (lost?.Subscription, lost?.Reason));
        Assert.Contains($"of {Topic} [0] were removed", lost?.Error, StringComparison.Ordinal);
        Assert.StartsWith($"{Topic}/0/", lost?.Delivery.Envelope.Id, StringComparison.Ordinal);
        await lost!.Delivery.ReleaseAsync();
        Assert.NotNull(await receiver.Transport.TakeBrokerDeadLetterAsync(Token));
        await lost.Delivery.AckAsync();
        Assert.Null(await receiver.Transport.TakeBrokerDeadLetterAsync(Token));
    }

    private static async Task HandleAsync(TestReceiver receiver, params (string Id, long Replay)[] expected)
    {
        var handled = new List<(string, long)>();
        while (handled.Count < expected.Length)
        {
            var delivery = await receiver.NextAsync();
            handled.Add((delivery.Envelope.Id, delivery.Envelope.Replay));
            await delivery.AckAsync();
        }

        Assert.Equal(expected, handled);
    }

    private static Task<long> ReplayAsync(TestReceiver receiver, ReplayStart start) =>
        receiver.Transport.ReplayAsync("mail", start, Token).AsTask();

    private Task<TestReceiver> OpenAsync() => TestReceiver.OpenAsync(name, TestReceiver.Options(name));

    private async Task<int> CountMembersAsync()
    {
        using var admin = new AdminClientBuilder(TestBroker.Config<AdminClientConfig>()).Build();
        var found = await admin.DescribeConsumerGroupsAsync([$"{name}.mail"]);
        return found.ConsumerGroupDescriptions[0].Members.Count;
    }
}
