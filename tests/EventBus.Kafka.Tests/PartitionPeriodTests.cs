namespace EventBus.Kafka.Tests;

/// <summary>Tests how the next owner of a partition detects that the one before has not ended properly.</summary>
[NeedsBroker]
public sealed class PartitionPeriodTests
{
    private readonly string name = TestBroker.NewName();

    [Theory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    public async Task Receiver_AfterOthersThatSettledAll_CountsNoEarlierDeliveries(KafkaGroupProtocol protocol)
    {
        foreach (var id in new[] { "1", "2", "3" })
        {
            await using var receiver = await TestReceiver.OpenAsync(name, TestReceiver.Options(name, protocol));
            await receiver.PublishAsync(id);
            var delivery = await receiver.NextAsync();
            Assert.Equal((id, 0), (delivery.Envelope.Id, delivery.EarlierDeliveries));
            await delivery.AckAsync();
        }
    }

    [Theory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    public async Task Receiver_AfterOthersThatLeftAnEventUnsettled_CountsThemInARow(KafkaGroupProtocol protocol)
    {
        for (var earlier = 0; earlier < 3; earlier++)
        {
            await using var receiver = await TestReceiver.OpenAsync(name, TestReceiver.Options(name, protocol));
            await receiver.PublishAsync($"{earlier}");
            var delivery = await receiver.NextAsync();
            Assert.Equal(("0", earlier), (delivery.Envelope.Id, delivery.EarlierDeliveries));
        }

        await using (var last = await TestReceiver.OpenAsync(name, TestReceiver.Options(name, protocol)))
        {
            Assert.Equal(["0", "1", "2"], [await last.HandleAsync(), await last.HandleAsync(), await last.HandleAsync()]);
        }

        await using var next = await TestReceiver.OpenAsync(name, TestReceiver.Options(name, protocol));
        await next.PublishAsync("3");
        Assert.Equal(0, (await next.NextAsync()).EarlierDeliveries);
    }

    /// <summary>Instances that join one after another move partitions while their periods begin.</summary>
    [Fact]
    public async Task Receivers_ThatJoinTogether_CountNoEarlierDeliveries()
    {
        var options = TestReceiver.Options(name);
        options.Partitions = 6;
        var receivers = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => TestReceiver.OpenAsync(name, options)));
        await receivers[0].PublishAsync(first: 0, count: 100);

        var ids = new HashSet<string>();
        await Until.TrueAsync("all events are delivered", TakeAllAsync, TestContext.Current.CancellationToken);
        foreach (var receiver in receivers)
        {
            await receiver.DisposeAsync();
        }

        async Task<bool> TakeAllAsync()
        {
            foreach (var receiver in receivers)
            {
                while (receiver.TryTake(out var delivery))
                {
                    Assert.Equal(0, delivery.EarlierDeliveries);
                    ids.Add(delivery.Envelope.Id);
                    await delivery.AckAsync();
                }
            }

            return ids.Count == 100;
        }
    }
}
