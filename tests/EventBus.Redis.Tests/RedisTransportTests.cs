using System.Diagnostics;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisTransportTests
{
    [Fact]
    public async Task Publish_ConnectionKilledBeforeTheReply_IsInDoubtAndRecovers()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var transport = await redis.StartAsync(address: valve.Address);
        var restored = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        transport.Connection.ConnectionRestored += (_, change) =>
        {
            if (change.ConnectionType == ConnectionType.Interactive)
            {
                restored.TrySetResult();
            }
        };

        valve.Close();
        var publishing = TestRedis.PublishAsync(transport, [.. Enumerable.Range(0, 5).Select(number => TestRedis.Parcel(number))]);
        await valve.ReplyHeld;
        Assert.NotEqual(0, await redis.KillConnectionsAsync());
        var outcomes = await publishing.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.InDoubt, outcome.Status));
        Assert.All(outcomes, outcome => Assert.NotNull(outcome.Error));
        Assert.Equal(5, await redis.Database.StreamLengthAsync(redis.ParcelStream));

        valve.Open();
        await restored.Task.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(5));
        Assert.Equal(6, await redis.Database.StreamLengthAsync(redis.ParcelStream));
    }

    [Fact]
    public async Task Publish_WithoutAConnection_FailsAtOnce()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var transport = await redis.StartAsync(address: valve.Address);
        valve.Refuse();
        await redis.KillConnectionsAsync();

        // The client may not have noticed yet: then the first is in doubt, and a later one is not.
        var outcomes = new PublishOutcome[2];
        for (var i = 0; i < 20 && outcomes[0].Status == PublishStatus.InDoubt; i++)
        {
            outcomes = await TestRedis.PublishAsync(transport, TestRedis.Parcel(1), TestRedis.Parcel(2));
        }

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Failed, outcome.Status));
        Assert.Equal(TransportState.Unhealthy, (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).State);
    }

    [Fact]
    public async Task Publish_WithoutAReply_IsInDoubtAtTheDeadline()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var transport = await redis.StartAsync(address: valve.Address);
        valve.Close();

        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        var outcomes = new PublishOutcome[2];
        var startedAt = Stopwatch.GetTimestamp();
        await transport.PublishAsync(new[] { TestRedis.Parcel(1), TestRedis.Parcel(2) }, outcomes, deadline.Token);

        Assert.InRange(Stopwatch.GetElapsedTime(startedAt), TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(3));
        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.InDoubt, outcome.Status));
    }

    [Fact]
    public async Task Publish_RefusedByRedis_FailsTheWholeBatch()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        await redis.Database.StringSetAsync(redis.ParcelStream, "no stream");

        var outcomes = await TestRedis.PublishAsync(transport, TestRedis.Parcel(1, "key"), TestRedis.Parcel(2, "key"));

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Failed, outcome.Status));
    }

    [Fact]
    public async Task Start_WithoutAServer_FailsAndSaysWhatToDo()
    {
        await using var redis = await TestRedis.OpenAsync();
        var exception = await Assert.ThrowsAsync<EventBusException>(() => redis.StartAsync(address: "127.0.0.1:1,connectTimeout=500"));

        Assert.Contains("UseRedis", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispose_WhileRedisIsSilent_EndsSoon()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var transport = await redis.StartAsync(address: valve.Address);
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await TestRedis.NextAsync(receiver);
        valve.Close();

        var startedAt = Stopwatch.GetTimestamp();
        await receiver.DisposeAsync();
        await transport.DisposeAsync();

        Assert.InRange(Stopwatch.GetElapsedTime(startedAt), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }
}
