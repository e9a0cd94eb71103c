using System.Text;
using Confluent.Kafka;

namespace EventBus.Kafka.Tests;

/// <summary>Tests the time at which a new subscription begins.</summary>
[NeedsBroker]
public sealed class StartTimeTests
{
    private readonly string name = TestBroker.NewName();
    private readonly DateTimeOffset now = TimeProvider.System.GetUtcNow();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Topic => $"{name}-order-events";

    [Fact]
    public async Task Start_AtATime_BeginsWithTheFirstEventAfterIt()
    {
        await PublishEarlierAsync();
        await using var receiver = await OpenAsync(now - TimeSpan.FromMinutes(90));

        Assert.Equal("an hour ago", await receiver.HandleAsync());
        Assert.Equal("now", await receiver.HandleAsync());
    }

    [Fact]
    public async Task Start_AfterTheLastEvent_BeginsWithTheNextOne()
    {
        await PublishEarlierAsync();
        await using var receiver = await OpenAsync(now + TimeSpan.FromHours(1));
        await receiver.PublishAsync("next");

        Assert.Equal("next", await receiver.HandleAsync());
    }

    [Fact]
    public async Task Start_OfAGroupWithPositions_IgnoresTheTimeAndSaysSoOnce()
    {
        await PublishEarlierAsync();
        await using (var first = await OpenAsync(now + TimeSpan.FromHours(1)))
        {
            await first.PublishAsync("next");
            Assert.Equal("next", await first.HandleAsync());
        }

        using var log = new LogList();
        await using var second = await OpenAsync(now - TimeSpan.FromHours(3), log);
        await second.PublishAsync("last");

        Assert.Equal("last", await second.HandleAsync());
        Assert.Single(log.Texts, text => text.Contains("FromTime has no effect", StringComparison.Ordinal));
    }

    private async Task PublishEarlierAsync()
    {
        await RawClient.CreateTopicAsync(Topic);
        using var producer = new ProducerBuilder<Null, byte[]>(TestBroker.Config<ProducerConfig>()).Build();
        foreach (var (id, hours) in new[] { ("two hours ago", 2), ("an hour ago", 1), ("now", 0) })
        {
            await producer.ProduceAsync(
                Topic,
                new Message<Null, byte[]>
                {
                    Timestamp = new Timestamp(now - TimeSpan.FromHours(hours)),
                    Value = "{}"u8.ToArray(),
                    Headers = [new Header("type", "order.placed"u8.ToArray()), new Header("id", Encoding.UTF8.GetBytes(id))],
                },
                Token);
        }
    }

    private Task<TestReceiver> OpenAsync(DateTimeOffset start, LogList? log = null)
    {
        var options = TestReceiver.Options(name);
        (options.FromBeginning, options.FromTime) = (false, start);
        return TestReceiver.OpenAsync(name, options, log);
    }
}
