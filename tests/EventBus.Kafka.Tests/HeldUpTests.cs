namespace EventBus.Kafka.Tests;

/// <summary>Tests an event that is not settled for long: what is read behind it is limited.</summary>
[NeedsBroker]
public sealed class HeldUpTests
{
    private const int Limit = 100;

    private readonly string name = TestBroker.NewName();

    [Fact]
    public async Task Event_NotSettledForLong_StopsItsPartitionAtTheLimitUntilItIsSettled()
    {
        using var log = new LogList();
        var options = TestReceiver.Options(name);
        options.MaxUncommitted = Limit;
        await using var receiver = await TestReceiver.OpenAsync(name, options, log);
        await receiver.PublishAsync(first: 0, count: Limit + 50);
        var stuck = await receiver.NextAsync();
        for (var behind = 1; behind < Limit + 50; behind++)
        {
            Assert.Equal($"{behind}", await receiver.HandleAsync());
        }

        await Until.TrueAsync(
            "the log names the partition",
            () => log.Texts.Any(text => text.Contains($"mail has {Limit} events of {name}-order-events [0]", StringComparison.Ordinal)),
            TestContext.Current.CancellationToken);
        await receiver.PublishAsync("late");
        Assert.False(receiver.TryTake(out _));
        await stuck.AckAsync();

        Assert.Equal("late", await receiver.HandleAsync());
    }
}
