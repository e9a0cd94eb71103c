using System.Diagnostics;
using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
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

        valve.Close();
        var publishing = TestRedis.PublishAsync(transport, [.. Enumerable.Range(0, 5).Select(number => TestRedis.Parcel(number))]);

        // A reply that is held back may be one to a sign of life, or to the first command of the transaction: what
        // counts is that Redis has the events.
        await Until.TrueAsync(
            "Redis has the events",
            async () => await redis.Database.StreamLengthAsync(redis.ParcelStream) >= 5,
            TestContext.Current.CancellationToken);

        Assert.NotEqual(0, await redis.KillConnectionsAsync());
        var outcomes = await publishing.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

        Assert.All(outcomes, outcome => Assert.Equal(PublishStatus.InDoubt, outcome.Status));
        Assert.All(outcomes, outcome => Assert.NotNull(outcome.Error));
        Assert.Equal(5, await redis.Database.StreamLengthAsync(redis.ParcelStream));

        // What fails until the client is back was not sent: the sixth entry is the one that was accepted.
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

        // The client may not have noticed yet: then the first is in doubt, and a later one is not.
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
        var write = new RedisWriteBatch([("stream", [new("id", "1")]), ("stream", [new("id", "2")])], together: false, deadline.Token);

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

        // One is less than an eighth of them: it waits for an answer.
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
        var large = new Envelope(new EnvelopeAttributes { Id = "large", Name = "parcel.sent" }, new byte[(1024 * 1024) + 1]);

        var outcomes = await TestRedis.PublishAsync(
            transport,
            [large, .. Enumerable.Range(1, count - 1).Select(number => TestRedis.Parcel(number))]);

        Assert.Equal(PublishStatus.Rejected, outcomes[0].Status);
        Assert.Contains("proto-max-bulk-len", outcomes[0].Error!.Message, StringComparison.Ordinal);
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

    [Fact]
    public async Task Start_WithoutAServerAndFailFast_FailsAndNamesTheFix()
    {
        await using var redis = await TestRedis.OpenAsync();
        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => redis.StartAsync(address: $"{TestRedis.Through(1)},connectTimeout=500", failFast: true));

        Assert.Contains("UseRedis", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithoutAServer_IsDegradedAndRecoversOnceItIsUp()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var late = new PrivateRedis();
        var transport = await redis.StartAsync(address: $"{late.Address},connectTimeout=500");
        var receiver = await redis.SubscribeAsync(transport);
        Assert.Equal(HealthStatus.Unhealthy, (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).Status);
        Assert.Equal(PublishStatus.Failed, (await TestRedis.PublishAsync(transport, TestRedis.Parcel(1)))[0].Status);

        await late.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync(late.Address);
        await Until.TrueAsync(
            "the subscription makes its group, because Redis is there",
            () => admin.GetDatabase().KeyExistsAsync(redis.ParcelStream),
            TestContext.Current.CancellationToken);
        await Until.TrueAsync(
            "the transport is healthy",
            async () => (await transport.CheckHealthAsync(TestContext.Current.CancellationToken)).Status == HealthStatus.Healthy,
            TestContext.Current.CancellationToken);

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(2));
        Assert.Equal("p-2", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Fact]
    public async Task Start_WhileTheServerLoads_IsDegradedAndRecoversOnceItHasLoaded()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis(
            "--appendonly",
            "no",
            "--key-load-delay",
            "10000",
            "--loading-process-events-interval-bytes",
            "1024");
        await server.StartAsync();
        await using (var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true"))
        {
            await admin.GetDatabase()
                .StringSetAsync([.. Enumerable.Range(0, 5_000).Select(i => KeyValuePair.Create((RedisKey)$"k{i}", (RedisValue)"value"))]);
            await admin.GetDatabase().ExecuteAsync("SAVE");
        }

        await server.KillAsync();
        await server.StartAsync("Loading RDB");
        var transport = await redis.StartAsync(address: server.Address);
        var receiver = await redis.SubscribeAsync(transport);

        await using var late = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true,abortConnect=false");
        Assert.Contains("loading:1", (string?)await late.GetDatabase().ExecuteAsync("INFO", "persistence"), StringComparison.Ordinal);
        await late.GetDatabase().ExecuteAsync("CONFIG", "SET", "key-load-delay", "0");
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(2));
        Assert.Equal("p-2", (await TestRedis.NextAsync(receiver)).Envelope.Id);
    }

    [Fact]
    public async Task Start_WrongPassword_FailsEvenIfADegradedStartIsAllowed()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var locked = new PrivateRedis();
        await locked.StartAsync();
        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => redis.StartAsync(address: $"{locked.EndPoint},connectTimeout=500,password=kX9-canary"));

        Assert.Contains("refuses", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("kX9-canary", exception.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ServerThatEchoesUnknownCommands_ShowsNoPassword()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var strange = new PrivateRedis("--rename-command", "AUTH", "");
        await strange.StartAsync();
        var exception =
            await Assert.ThrowsAsync<EventBusException>(() => redis.StartAsync(address: $"{strange.Address},connectTimeout=500"));

        Assert.Contains("refuses", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Canary.Password, exception.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Password_OfAnyTypeThatHasIt_IsNotShown()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        var transport = await redis.StartAsync(address: server.Address);
        var connector = new RedisConnector(ConfigurationOptions.Parse(server.Address), "bus.UseRedis(...)", Canary.Log);
        var healthy = await transport.CheckHealthAsync(TestContext.Current.CancellationToken);
        await server.KillAsync();
        var broken = await transport.CheckHealthAsync(TestContext.Current.CancellationToken);

        object[] shown = [
            healthy,
            broken,
            transport,
            transport.Features,
            connector,
            new RedisStores(connector, "eventbus", Canary.Log),
            new RedisOptions(),
            new RedisPubSubOptions()
        ];

        Assert.Equal((HealthStatus.Healthy, HealthStatus.Unhealthy), (healthy.Status, broken.Status));
        Assert.All(shown, each => Assert.DoesNotContain(Canary.Password, each.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Retire_GroupOfARemovedSubscription_IsRefusedWhileInUseOrNotEmptyAndThenRemovesIt()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await redis.StartAsync(claimAfter: TimeSpan.FromSeconds(60));
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await TestRedis.NextAsync(receiver);
        Assert.Contains(
            "consumers",
            (await Assert.ThrowsAsync<EventBusException>(() => RetireAsync(discardWaiting: true))).Message,
            StringComparison.Ordinal);

        // The consumer stays while something is pending for it; a dead one is simulated by taking it away at the
        // server.
        await receiver.DisposeAsync();
        foreach (var consumer in await redis.Database.StreamConsumerInfoAsync(redis.ParcelStream, "app:parcels"))
        {
            await redis.Database.StreamDeleteConsumerAsync(redis.ParcelStream, "app:parcels", consumer.Name);
        }

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(2));
        Assert.Contains(
            "Events wait",
            (await Assert.ThrowsAsync<EventBusException>(() => RetireAsync(discardWaiting: false))).Message,
            StringComparison.Ordinal);

        await RetireAsync(discardWaiting: true);
        await RetireAsync(discardWaiting: false);
        Assert.Empty(await redis.Database.StreamGroupInfoAsync(redis.ParcelStream));

        Task RetireAsync(bool discardWaiting) =>
            transport.RetireAsync("parcels", discardWaiting, TestContext.Current.CancellationToken).AsTask();
    }

    [Fact]
    public async Task Dispose_RedisDoesNotAnswer_EndsSoon()
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
