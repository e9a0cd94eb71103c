using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisSagaStoreTests
{
    private static readonly string[] InvalidPositions = ["", "{", "1", "1 2 3", "1 2 3 trip", "x 1 2 trip all/"];

    private static readonly string[] BadRows = [
        "",
        "{",
        "0 1 - - -",
        "0 1 - - - soon -",
        "77 1 - - - 1 -",
        "0 many - - - 1 -",
        "0 1 99999999999999999999 - - 1 -",
        "0 1 - - - 1 k"
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Garbage =>
    [
        .. InvalidPositions.Select(bad => new TheoryDataRow<string, string>("sagas:place", bad)),
        .. BadRows.Select(bad => new TheoryDataRow<string, string>("sagas", bad)),
    ];

    [Theory]
    [MemberData(nameof(Garbage))]
    public async Task Saga_Corrupted_IsReportedSetAsideAndBlocksNoOther(string hash, string garbage)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        foreach (var id in new[] { "first", "bad", "last" })
        {
            await stores.Sagas.CreateAsync(
                TestStores.Saga(id) with { AlertAt = TestStores.Now, KeepUntil = TestStores.Now.AddDays(1) },
                Token);
        }

        await redis.Database.HashSetAsync(TestStores.Key(redis.Prefix, hash), "bad", garbage);

        var due = (await stores.Sagas.ListDueAsync(["trip"], TestStores.Now, 10, Token)).Entries;
        Assert.Equal(["first", "bad", "last"], due.Select(entry => entry.Id));
        Assert.Equal([false, true, false], due.Select(entry => entry.Defect is not null));
        Assert.Equal(("trip", SagaStatus.NeedsAttention, 0), (due[1].Saga, due[1].Status, due[1].Content.Length));
        Assert.Equal(["last", "bad", "first"], (await stores.Sagas.ListAsync(new SagaFilter(), Token)).Select(entry => entry.Id));
        Assert.Equal(3, (await stores.Sagas.ListAlertsAsync(TestStores.Now, 10, Token)).Entries.Count);
        Assert.NotNull((await stores.Sagas.FindAsync("bad", Token))!.Defect);
        Assert.False(await stores.Sagas.CreateAsync(TestStores.Saga("bad"), Token));

        // An alert is sent, and the remains of the earlier state are removed.
        Assert.True(await stores.Sagas.SaveAsync(
            due[1] with { DueAt = null, AlertAt = null, KeepUntil = null, WaitKey = null, ChangedAt = TestStores.Now },
            Token));
        Assert.Equal(
            ["first", "last"],
            (await stores.Sagas.ListDueAsync(["trip"], TestStores.Now, 2, Token)).Entries.Select(entry => entry.Id));
        Assert.Equal(["first", "last"], (await stores.Sagas.ListAlertsAsync(TestStores.Now, 2, Token)).Entries.Select(entry => entry.Id));
        Assert.Equal(
            ["last", "first"],
            (await stores.Sagas.ListAsync(new SagaFilter { Status = SagaStatus.Running }, Token)).Select(entry => entry.Id));
        Assert.Equal("bad", Assert.Single(await stores.Sagas.ListAsync(new SagaFilter { Status = SagaStatus.NeedsAttention }, Token)).Id);
        Assert.Equal(2, await stores.Sagas.CountAsync(new SagaFilter { Status = SagaStatus.Running }, Token));
        Assert.Equal(2, await stores.Sagas.SweepAsync(TestStores.Now.AddDays(2), 10, Token));
        var repaired = Assert.Single(await stores.Sagas.ListAsync(new SagaFilter { Saga = "trip" }, Token));
        Assert.Equal((null, "bad", "{}"), (repaired.Defect, repaired.Id, System.Text.Encoding.UTF8.GetString(repaired.Content.Span)));
    }

    [Fact]
    public async Task Saga_PartlyDeleted_IsReportedAndADeletedOneIsForgotten()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        foreach (var id in new[] { "rowless", "gone", "contentless", "good" })
        {
            await stores.Sagas.CreateAsync(TestStores.Saga(id), Token);
        }

        await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, "sagas"), ["rowless", "gone"]);
        await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, "sagas:place"), "gone");
        await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, "sagas:content"), ["contentless", "gone"]);

        var due = await stores.Sagas.ListDueAsync(["trip"], TestStores.Now, 3, Token);

        Assert.Equal(["rowless", "contentless", "good"], due.Entries.Select(entry => entry.Id));
        Assert.Equal([true, true, false], due.Entries.Select(entry => entry.Defect is not null));
        Assert.Null(due.NextDue);
        Assert.Null(await stores.Sagas.FindAsync("gone", Token));
        Assert.Equal(3, (await stores.Sagas.ListAsync(new SagaFilter { Take = 3 }, Token)).Count);
        Assert.Equal(3, await stores.Sagas.CountAsync(new SagaFilter(), Token));
        Assert.True(await stores.Sagas.CreateAsync(TestStores.Saga("gone"), Token));
    }

    [Fact]
    public async Task Saga_SavedAndSwept_LeavesNothingBehind()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        var saga = TestStores.Saga("1", "a/b @%") with { AlertAt = TestStores.Now };
        await stores.Sagas.CreateAsync(saga, Token);
        Assert.Equal("a/b @%", Assert.Single((await stores.Sagas.ListDueAsync([saga.Saga], TestStores.Now, 10, Token)).Entries).Saga);
        await stores.Sagas.SaveAsync(
            saga with { Version = 1, Status = SagaStatus.Finished, WaitKey = "another", KeepUntil = TestStores.Now },
            Token);
        Assert.Equal(8, await redis.Database.SortedSetLengthAsync(TestStores.Key(redis.Prefix, "sagas:index")));

        Assert.Equal(1, await stores.Sagas.SweepAsync(TestStores.Now, 10, Token));

        foreach (var key in new[] { "sagas", "sagas:content", "sagas:place", "sagas:index" })
        {
            Assert.False(await redis.Database.KeyExistsAsync(TestStores.Key(redis.Prefix, key)));
        }
    }

    [Fact]
    public async Task Call_RepeatedAfterItsAnswerWasLost_IsRefusedAndShowsTheFirst()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        await using var stores = await TestStores.OpenAsync(redis.Prefix, valve.Address);

        // Redis has cached the scripts: the next call is a single command.
        await stores.Sagas.CreateAsync(TestStores.Saga("warm"), Token);
        await stores.Sagas.SaveAsync(TestStores.Saga("warm") with { Version = 1 }, Token);

        Assert.False(await LostReply.RepeatAsync(valve, async () => await stores.Sagas.CreateAsync(TestStores.Saga("1"), Token)));
        Assert.Equal(1, (await LostReply.AnsweredAsync(async () => await stores.Sagas.FindAsync("1", Token)))!.Version);
        var saved = TestStores.Saga("1") with { Version = 1, Claim = 2, Content = "[]"u8.ToArray() };
        Assert.False(await LostReply.RepeatAsync(valve, async () => await stores.Sagas.SaveAsync(saved, Token)));
        var found = (await LostReply.AnsweredAsync(async () => await stores.Sagas.FindAsync("1", Token)))!;
        Assert.Equal((2, 2, "[]"), (found.Version, found.Claim, System.Text.Encoding.UTF8.GetString(found.Content.Span)));
    }

    [Fact]
    public async Task Saga_WhileRedisIsFull_IsRefusedAndChangesNothing()
    {
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        await using var stores = await TestStores.OpenAsync("full", server.Address);
        await stores.Sagas.CreateAsync(TestStores.Saga("1"), Token);
        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "1");

        var refused =
            await Assert.ThrowsAsync<StoreRefusedException>(async () => await stores.Sagas.CreateAsync(TestStores.Saga("2"), Token));
        Assert.Equal(StoreScope.Store, refused.Scope);
        await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await stores.Sagas.SaveAsync(TestStores.Saga("1") with { Version = 1, DueAt = null }, Token));

        Assert.Contains("full", refused.Message, StringComparison.Ordinal);
        await admin.GetServers()[0].ConfigSetAsync("maxmemory", "0");
        Assert.Equal("1", Assert.Single((await stores.Sagas.ListDueAsync(["trip"], TestStores.Now, 10, Token)).Entries).Id);
        Assert.Equal(1, Assert.Single(await stores.Sagas.ListAsync(new SagaFilter(), Token)).Version);
        Assert.True(await stores.Sagas.CreateAsync(TestStores.Saga("2"), Token));
    }
}
