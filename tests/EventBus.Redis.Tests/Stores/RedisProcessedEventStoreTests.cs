using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisProcessedEventStoreTests
{
    private static readonly ProcessedKey Key = new("mail", "p-1");
    private static readonly DateTimeOffset KeepUntil = TestStores.Now.AddDays(7);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Key_Completed_SuppressesCopiesAndKeepsItsEventsUntilTheyAreSent()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        var claim = await ClaimAsync(stores, TestStores.Now, long.MinValue);
        Assert.Equal(ProcessedState.New, claim.State);
        Assert.Equal((ProcessedState.InProgress, 0), await StateAsync(stores, TestStores.Now));
        var completion = new Completion([TestStores.Event("a"), TestStores.Event("b")], [], KeepUntil);

        Assert.False(await stores.Processed.CompleteAsync(Key, claim.FencingToken + 1, completion, Token));
        Assert.True(await stores.Processed.CompleteAsync(Key, claim.FencingToken, completion, Token));
        Assert.True(await stores.Processed.CompleteAsync(Key, claim.FencingToken, completion, Token));

        var done = await ClaimAsync(stores, TestStores.Now.AddYears(1), 5);
        Assert.Equal((ProcessedState.Done, 0, long.MinValue), (done.State, done.FencingToken, done.Fingerprint));
        Assert.Equal(["a", "b"], done.Outbox.Select(envelope => envelope.Id));
        Assert.Equal("""{"Number":1}"""u8.ToArray(), done.Outbox[1].Body.ToArray());
        Assert.Equal(0, await stores.Processed.SweepAsync(KeepUntil.AddYears(1), 10, Token));
        await stores.Processed.MarkDispatchedAsync(Key, Token);
        Assert.Empty((await ClaimAsync(stores, TestStores.Now)).Outbox);
        Assert.Equal(0, await stores.Processed.SweepAsync(KeepUntil.AddTicks(-10), 10, Token));
        Assert.Equal(1, await stores.Processed.SweepAsync(KeepUntil, 10, Token));
        Assert.Equal(0, await stores.Processed.CountAsync(Token));
        Assert.Equal(ProcessedState.New, (await StateAsync(stores, KeepUntil)).State);
    }

    [Fact]
    public async Task Claim_NotRenewedInTime_IsTakenOverWithAHigherFencingToken()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        var first = await ClaimAsync(stores, TestStores.Now);
        Assert.True(await stores.Processed.RenewAsync(Key, first.FencingToken, TestStores.Now + (2 * TestStores.Lease), Token));
        Assert.Equal(ProcessedState.InProgress, (await StateAsync(stores, TestStores.Now + TestStores.Lease)).State);

        var second = await ClaimAsync(stores, TestStores.Now + (2 * TestStores.Lease));

        Assert.Equal(ProcessedState.New, second.State);
        Assert.True(second.FencingToken > first.FencingToken);
        Assert.False(await stores.Processed.RenewAsync(Key, first.FencingToken, KeepUntil, Token));
        Assert.False(await stores.Processed.CompleteAsync(Key, first.FencingToken, new Completion([], [], KeepUntil), Token));
        await stores.Processed.ReleaseAsync(Key, first.FencingToken, Token);
        Assert.Equal(1, await stores.Processed.CountAsync(Token));
        await stores.Processed.ReleaseAsync(Key, second.FencingToken, Token);
        Assert.Equal(0, await stores.Processed.CountAsync(Token));
        Assert.True((await ClaimAsync(stores, TestStores.Now)).FencingToken > second.FencingToken);
    }

    [Fact]
    public async Task Claim_RepeatedAfterItsAnswerWasLost_StillBelongsToTheCaller()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();
        await using var stores = await TestStores.OpenAsync(redis.Prefix, valve.Address);

        var claim = await LostReply.RepeatAsync(valve, () => ClaimAsync(stores, TestStores.Now));
        Assert.Equal(ProcessedState.New, claim.State);
        Assert.Equal(ProcessedState.InProgress, (await LostReply.AnsweredAsync(() => StateAsync(stores, TestStores.Now))).State);

        var completion = new Completion([], [], KeepUntil);
        Assert.True(
            await LostReply.RepeatAsync(
                valve,
                async () => await stores.Processed.CompleteAsync(Key, claim.FencingToken, completion, Token)));
    }

    [Fact]
    public async Task Row_Corrupted_IsClaimedAgainAndNeverSwept()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        foreach (var garbage in new[] { "", "done", "done x y z", "{}", "done 1 2", "gone 1 2 3" })
        {
            await redis.Database.HashSetAsync(TestStores.Key(redis.Prefix, "processed"), "mail~p-1", garbage);
            await redis.Database.SortedSetAddAsync(TestStores.Key(redis.Prefix, "processed:ends"), "mail~p-1", 1);
            Assert.Equal(0, await stores.Processed.SweepAsync(TestStores.Now, 10, Token));
            Assert.Equal(1, await stores.Processed.CountAsync(Token));
            Assert.Equal(ProcessedState.New, (await StateAsync(stores, TestStores.Now)).State);
        }

        await redis.Database.HashSetAsync(TestStores.Key(redis.Prefix, "processed"), "mail~p-1", $"done 7 {new string('8', 40)} 9");
        await redis.Database.HashSetAsync(
            TestStores.Key(redis.Prefix, "processed:outbox"),
            "mail~p-1",
            new byte[] { 255, 255, 255, 127, 1 });
        var done = await ClaimAsync(stores, TestStores.Now);
        Assert.Equal((ProcessedState.Done, 0), (done.State, done.Fingerprint));
        Assert.NotNull(Assert.Single(done.Outbox).Defect);
        await redis.Database.HashSetAsync(TestStores.Key(redis.Prefix, "counters"), "fence", "many");
        Assert.True(
            (await stores.Processed.ClaimAsync(new ProcessedKey("mail", "p-2"), 0, TestStores.Now, TestStores.Lease, Token))
                .FencingToken > 1_000);
    }

    private static async Task<ProcessedClaim> ClaimAsync(TestStores stores, DateTimeOffset now, long fingerprint = 1) =>
        await stores.Processed.ClaimAsync(Key, fingerprint, now, TestStores.Lease, Token);

    private static async Task<(ProcessedState State, long FencingToken)> StateAsync(TestStores stores, DateTimeOffset now)
    {
        var claim = await ClaimAsync(stores, now);
        return (claim.State, claim.State == ProcessedState.New ? 0 : claim.FencingToken);
    }
}
