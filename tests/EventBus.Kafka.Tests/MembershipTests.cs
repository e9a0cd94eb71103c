using System.Collections.Concurrent;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Kafka.Tests;

/// <summary>Tests instances that join, leave, stand by, and stop to poll.</summary>
[NeedsBroker]
public sealed class MembershipTests
{
    private readonly string name = TestBroker.NewName();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>An instance commits what it has handled before another one gets its partition.</summary>
    [Theory]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.CooperativeSticky)]
    [InlineData(KafkaGroupProtocol.Classic, KafkaAssignor.Range)]
    [InlineData(KafkaGroupProtocol.Consumer, KafkaAssignor.CooperativeSticky)]
    public async Task Members_JoiningAndLeavingUnderLoad_HandleEachEventOnce(KafkaGroupProtocol protocol, KafkaAssignor assignor)
    {
        var options = TestReceiver.Options(name, protocol);
        (options.Partitions, options.Assignor) = (4, assignor);
        var handled = new ConcurrentQueue<string>();
        await using var first = await TestReceiver.OpenAsync(name, options);
        var handling = first.HandleAllAsync(handled.Enqueue);
        var published = 0;
        for (var round = 0; round < 3; round++)
        {
            await using var second = await TestReceiver.OpenAsync(name, options);
            var fromSecond = 0;
            var handlingToo = second.HandleAllAsync(id =>
            {
                Interlocked.Increment(ref fromSecond);
                handled.Enqueue(id);
            });
            await Until.TrueAsync(
                "the second instance handles some",
                async () =>
                {
                    await first.PublishAsync(published, count: 20);
                    published += 20;
                    return Volatile.Read(ref fromSecond) > 20;
                },
                Token);
            await second.StopAsync();
            await handlingToo;
        }

        await Until.TrueAsync("all events are handled", () => handled.Distinct().Count() == published, Token);
        await first.StopAsync();
        await handling;
        Assert.Equal(published, handled.Count);
    }

    [Fact]
    public async Task Member_WithoutPartitions_IsHealthyAndTakesOver()
    {
        await using var owner = await TestReceiver.OpenAsync(name, TestReceiver.Options(name));
        await using var idle = await TestReceiver.OpenAsync(name, TestReceiver.Options(name));
        await owner.PublishAsync("1");
        Assert.Equal("1", await owner.HandleAsync());
        Assert.Equal(HealthStatus.Healthy, (await idle.Transport.CheckHealthAsync(Token)).Status);

        await owner.DisposeAsync();
        await idle.PublishAsync("2");

        Assert.Equal("2", await idle.HandleAsync());
    }

    /// <summary>The heartbeats of such a process continue, so only the client itself notices it.</summary>
    [Theory]
    [InlineData(KafkaGroupProtocol.Classic)]
    [InlineData(KafkaGroupProtocol.Consumer)]
    public async Task PollThread_ThatStandsStill_LosesItsPartitionsAndGetsThemAgain(KafkaGroupProtocol protocol)
    {
        using var log = new HeldUpLog("records without an event name");
        var options = TestReceiver.Options(name, protocol);
        (options.SessionTimeout, options.MaxPollInterval) = (TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2));
        await using var receiver = await TestReceiver.OpenAsync(name, options, log);
        await receiver.PublishAsync("1");
        var held = await receiver.NextAsync();

        // The warning about this record, which deletes a key, is logged by the poll thread.
        await RawClient.PublishTombstoneAsync($"{name}-order-events");
        await log.Reached.WaitAsync(TestBroker.Patience, Token);
        await Until.TrueAsync(
            "the group has no member", async () => await receiver.Transport.CountOtherConsumersAsync("mail", Token) is null, Token);
        log.Continue();

        await Until.TrueAsync("the delivery is lost", () => held.Lost.IsCancellationRequested, Token);
        Assert.Equal("1", await receiver.HandleAsync());
        await receiver.PublishAsync("2");
        Assert.Equal("2", await receiver.HandleAsync());
    }
}
