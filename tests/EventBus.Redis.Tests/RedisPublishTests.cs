using System.Diagnostics;
using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Tests the outcomes of publishes to Redis Streams.</summary>
public sealed class RedisPublishTests
{
    [Fact]
    public async Task Publish_ConnectionKilledBeforeTheReply_IsInDoubtAndRecovers()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var transport = await redis.StartAsync(address: valve.Address);

        valve.Close();
        var publishing = TestRedis.PublishAsync(transport, [.. Enumerable.Range(0, 5).Select(number => TestRedis.Parcel(number))]);

        // The held reply may be the reply to a heartbeat, or to the first command of the transaction: the condition is
        // that Redis has the events.
        await Until.TrueAsync(
            "Redis has the events",
            async () => await redis.Database.StreamLengthAsync(redis.ParcelStream) >= 5,
            TestContext.Current.CancellationToken);

        Assert.NotEqual(0, await redis.KillConnectionsAsync());
        var outcomes = await publishing.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.InDoubt, outcome.Status));
        Assert.All(outcomes, outcome => Assert.NotNull(outcome.Error));
        Assert.Equal(5, await redis.Database.StreamLengthAsync(redis.ParcelStream));

        // Publishes that fail until the client is connected again were not sent: the sixth entry is the accepted one.
        valve.Open();
        PublishOutcome last = default;
        await Until.TrueAsync(
            "the connection is back",
            async () => (last = (await TestRedis.PublishAsync(transport, TestRedis.Parcel(5)))[0]).Status != PublishStatus.Failed,
            TestContext.Current.CancellationToken);
        Assert.Equal(PublishStatus.Accepted, last.Status);
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

        // The client may not have noticed the outage: then the first publish is in doubt, but a later one is not.
        var outcomes = new PublishOutcome[2];
        for (var i = 0; i < 20 && outcomes[0].Status == PublishStatus.InDoubt; i++)
        {
            outcomes = await TestRedis.PublishAsync(transport, TestRedis.Parcel(1), TestRedis.Parcel(2));
        }

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Failed, outcome.Status));
        Assert.Equal(HealthStatus.Unhealthy, (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).Status);
    }

    [Fact]
    public async Task Publish_BatchedWithoutAConnection_FailsAtOnce()
    {
        var configuration = ConfigurationOptions.Parse("127.0.0.1:1,connectTimeout=500,abortConnect=false");
        configuration.BacklogPolicy = BacklogPolicy.FailFast;
        await using var nowhere = await ConnectionMultiplexer.ConnectAsync(configuration);
        using var deadline = new CancellationTokenSource(TestRedis.Patience);
        var write = new RedisWriteBatch([("stream", [new("id", "1")]), ("stream", [new("id", "2")])], isTransaction: false, deadline.Token);

        write.Send(nowhere.GetDatabase());
        await write.Ended.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

        Assert.Equal(PublishStatus.Failed, (await write.OutcomeAsync(0)).Status);
        Assert.Equal(PublishStatus.Failed, (await write.OutcomeAsync(1)).Status);
        Assert.False(deadline.IsCancellationRequested);
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
    public async Task Publish_DeadlineBeforeItsTurn_FailsAndIsNeverSent()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        var transport = await redis.StartAsync(address: valve.Address);
        valve.Close();
        Task[] unanswered =
            [.. Enumerable.Range(0, 20).Select(number => TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(number)))];

        // One entry is less than an eighth of them: it waits for an answer.
        using var deadline = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        var outcomes = new PublishOutcome[1];
        await transport.PublishAsync(new[] { TestRedis.Parcel(20) }, outcomes, deadline.Token);

        Assert.Equal(PublishStatus.Failed, outcomes[0].Status);
        valve.Open();
        await Task.WhenAll(unanswered);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(21));
        Assert.Equal(Enumerable.Range(0, 20).Append(21).Select(number => $"p-{number}"), await redis.ParcelIdsAsync());
    }

    [Fact]
    public async Task Publish_ManyAtOnceWithListsBetween_KeepsTheOrderOfTheCalls()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        var publishing = new List<Task>();
        for (var number = 0; number < 1_000; number += number % 97 == 0 ? 3 : 1)
        {
            publishing.Add(number % 97 == 0
                ? TestRedis.PublishAcceptedAsync(
                    transport,
                    TestRedis.Parcel(number),
                    TestRedis.Parcel(number + 1),
                    TestRedis.Parcel(number + 2))
                : TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(number)));
        }

        await Task.WhenAll(publishing);

        Assert.Equal(Enumerable.Range(0, publishing.Count + 22).Select(number => $"p-{number}"), await redis.ParcelIdsAsync());
    }

    [Fact]
    public async Task Publish_OneOfManyIsRefusedByRedis_TheOthersAreAccepted()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        await redis.Database.StringSetAsync($"{{{redis.Prefix}}}:letter", "no stream");
        Envelope[] events = [.. Enumerable.Range(0, 200)
            .Select(number => number % 2 == 0 ? TestRedis.Parcel(number) : TestRedis.Event(number, "letter.sent"))];

        var outcomes = await Task.WhenAll(events.Select(each => TestRedis.PublishAsync(transport, each)));

        Assert.All(outcomes, (outcome, i) => Assert.Equal(i % 2 == 0 ? PublishStatus.Accepted : PublishStatus.Rejected, outcome[0].Status));
        Assert.Equal(100, await redis.Database.StreamLengthAsync(redis.ParcelStream));
    }

    [Theory]
    [InlineData("1790000000000-0", PublishStatus.Accepted)]
    [InlineData("OK", PublishStatus.InDoubt)]
    [InlineData("-1-0", PublishStatus.InDoubt)]
    [InlineData("17", PublishStatus.InDoubt)]
    [InlineData("1790000000000-", PublishStatus.InDoubt)]
    [InlineData(null, PublishStatus.InDoubt)]
    public void Publish_Answered_IsAcceptedOnlyWithAnEntryId(string? answer, PublishStatus expected) =>
        Assert.Equal(expected, RedisWriteBatch.OutcomeOf(answer).Status);

    [Fact]
    public async Task Publish_RefusedByRedis_FailsTheWholeBatch()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        await redis.Database.StringSetAsync(redis.ParcelStream, "no stream");

        var outcomes = await TestRedis.PublishAsync(transport, TestRedis.Parcel(1, "key"), TestRedis.Parcel(2, "key"));

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.Rejected, outcome.Status));
    }

    [Theory]
    [InlineData("WRONGTYPE Operation against a key holding the wrong kind of value", PublishStatus.Rejected)]
    [InlineData("NOPERM No permissions to access a key", PublishStatus.Rejected)]
    [InlineData("NOPERM this user has no permissions to run the 'xadd' command", PublishStatus.Rejected)]
    [InlineData("NOAUTH Authentication required.", PublishStatus.Rejected)]
    [InlineData("ERR Elements are too large to be stored", PublishStatus.Rejected)]
    [InlineData("OOM command not allowed when used memory > 'maxmemory'.", PublishStatus.Failed)]
    [InlineData("READONLY You can't write against a read only replica.", PublishStatus.Failed)]
    [InlineData("LOADING Redis is loading the dataset in memory", PublishStatus.Failed)]
    [InlineData("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", PublishStatus.Failed)]
    [InlineData("CLUSTERDOWN The cluster is down", PublishStatus.Failed)]
    [InlineData("NOREPLICAS Not enough good replicas to write.", PublishStatus.Failed)]
    [InlineData("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.", PublishStatus.Failed)]
    public void Publish_AnsweredWithAnError_IsRejectedOnlyIfARetryCannotHelp(string answer, PublishStatus expected) =>
        Assert.Equal(expected, RedisErrors.OutcomeOf(new RedisServerException(RedisErrorKind.Unknown, CommandFlags.None, answer)).Status);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Publish_PermissionRevokedWhileRunning_IsRejectedAtOnceAndTheRestOfAListIsNot(int count)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        var transport = await redis.StartAsync(address: server.Address);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(0));
        await admin.GetDatabase().ExecuteAsync("ACL", "SETUSER", "default", "resetkeys", $"%R~*", $"~{{{redis.Prefix}}}:letter");

        var outcomes = await TestRedis.PublishAsync(
            transport,
            [TestRedis.Parcel(1), .. Enumerable.Range(2, count - 1).Select(number => TestRedis.Event(number, "letter.sent"))]);

        Assert.Equal(PublishStatus.Rejected, outcomes[0].Status);
        Assert.All(outcomes[1..], outcome => Assert.Equal(PublishStatus.Failed, outcome.Status));
    }

    [Fact]
    public async Task Publish_ListWithoutPermissionForTransactions_IsNeverFailedIfItIsAccepted()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        var transport = await redis.StartAsync(address: server.Address);
        await admin.GetDatabase().ExecuteAsync("ACL", "SETUSER", "default", "-@transaction");

        var outcomes = await TestRedis.PublishAsync(transport, TestRedis.Parcel(1), TestRedis.Parcel(2));

        Assert.Equal(2, await admin.GetDatabase().StreamLengthAsync(redis.ParcelStream));
        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.InDoubt, outcome.Status));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Publish_LargerThanTheLimitOfRedis_IsRejectedAndKeepsTheConnection(int count)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis("--proto-max-bulk-len", "1mb");
        await server.StartAsync();
        var transport = await redis.StartAsync(address: server.Address);
        var body = Encoding.UTF8.GetBytes($$"""{"note":"{{new string('x', 1024 * 1024)}}"}""");
        var large = new Envelope(new EnvelopeAttributes { Id = "large", Name = "parcel.sent" }, body);

        var outcomes = await TestRedis.PublishAsync(
            transport,
            [large, .. Enumerable.Range(1, count - 1).Select(number => TestRedis.Parcel(number))]);

        Assert.Equal(PublishStatus.Rejected, outcomes[0].Status);
        Assert.Contains("proto-max-bulk-len", outcomes[0].Error!.Message, StringComparison.Ordinal);
        Assert.Contains("(1,048,578 bytes)", outcomes[0].Error!.Message, StringComparison.Ordinal);
        Assert.All(outcomes[1..], outcome => Assert.Equal(PublishStatus.Accepted, outcome.Status));
        Assert.Equal(HealthStatus.Healthy, (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).Status);
    }

    [Fact]
    public async Task Publish_SmallEventBehindALargeOneOfItsKey_StaysBehindIt()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync();
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(0));
        for (var round = 1; round <= 10; round++)
        {
            var large = new Envelope(
                new EnvelopeAttributes { Id = $"large-{round}", Name = "parcel.sent", Key = "k" },
                new byte[2 * 1024 * 1024]);
            var first = TestRedis.PublishAcceptedAsync(transport, large);
            await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(round, "k"));
            await first;
        }

        string[] expected = ["p-0", .. Enumerable.Range(1, 10).SelectMany(round => new[] { $"large-{round}", $"p-{round}" })];
        Assert.Equal(expected, await redis.ParcelIdsAsync());
    }

    [Fact]
    public async Task Publish_AfterTheLimitOfTheServerIsRaised_IsAccepted()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis("--proto-max-bulk-len", "1mb");
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        var transport = await redis.StartAsync(address: server.Address);
        var large = new Envelope(new EnvelopeAttributes { Id = "large", Name = "parcel.sent" }, new byte[2 * 1024 * 1024]);
        Assert.Equal(PublishStatus.Rejected, (await TestRedis.PublishAsync(transport, large))[0].Status);

        await admin.GetDatabase().ExecuteAsync("CONFIG", "SET", "proto-max-bulk-len", "16mb");

        await TestRedis.PublishAcceptedAsync(transport, large);
    }
}
