namespace EventBus.Kafka.Tests;

/// <summary>
/// Tests partitions that move while their reading is paused: the client keeps them paused when it gets them again.
/// </summary>
[NeedsBroker]
public sealed class PausedPartitionTests
{
    private const int Count = 100;

    private readonly string name = TestBroker.NewName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.CooperativeSticky)]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.Range)]
    [InlineData(KafkaGroupProtocol.Consumer, KafkaAssignor.CooperativeSticky)]
    public async Task Partition_ThatComesBackAfterItWasPaused_IsReadAtOnce(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        using var log = new LogList();
        await using var receiver = await TestReceiver.OpenAsync(name, Options(), log, concurrency: 1);
        await receiver.PublishAsync(first: 0, Count);

        // The bus holds four and takes no more, so that eight wait, and all partitions are paused.
        await Until.TrueAsync(
            "so many events wait that the reading is paused",
            async () => (await receiver.Transport.ReadBacklogAsync(Token)).Single().InFlight >= 12,
            Token);

        await using (var other = await TestReceiver.OpenAsync(name, Options(), concurrency: 1))
        {
            await Until.TrueAsync("the other instance gets events", () => other.TryTake(out _), Token);
        }

        var handled = new HashSet<string>();
        while (handled.Count < Count)
        {
            handled.Add(await receiver.HandleAsync());
        }

        Assert.DoesNotContain(log.Texts, text => text.Contains("has read nothing of", StringComparison.Ordinal));
        Assert.DoesNotContain(log.Texts, text => text.Contains("stands still", StringComparison.Ordinal));

        KafkaOptions Options()
        {
            var options = TestReceiver.Options(name, protocol);
            (options.Partitions, options.Assignor, options.RevocationTimeout) = (4, assignor, TimeSpan.Zero);
            return options;
        }
    }
}
