using EventBus.Stores;

namespace EventBus.Redis.Tests;

/// <summary>
/// Tests the numbers of entries by subscription in cases that only Redis has: data of an earlier version, and numbers
/// that were damaged.
/// </summary>
public sealed class RedisFailureCountTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Counts_OfEntriesOfAnEarlierVersion_AreCountedOnce()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await RecordAsync(stores);

        // An earlier version has stored the entries without their numbers.
        Assert.True(await redis.Database.KeyDeleteAsync(TestStores.Key(redis.Prefix, "failed:counts")));
        await ExpectAsync(stores);

        // From here on the numbers are kept.
        await stores.RecordAsync(TestStores.Waiting("w-4"));
        Assert.Equal(4, (await CountAsync(stores, "mail")).Waiting);
    }

    [Theory]
    [InlineData("mail", "x")]
    [InlineData("mail", "99999")]
    [InlineData("unknown", "3")]
    public async Task Counts_ThatWereDamaged_AreCorrected(string subscription, string value)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await RecordAsync(stores);

        await redis.Database.HashSetAsync(TestStores.Key(redis.Prefix, "failed:counts"), subscription, value);
        await ExpectAsync(stores);
    }

    [Fact]
    public async Task Counts_WithoutEntries_NeedNoRoom()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await RecordAsync(stores);
        foreach (var entry in await stores.ClaimAsync())
        {
            await stores.Failures.CompleteAsync(entry, Token);
        }

        await stores.Failures.DeadLetters.DiscardAsync("mail~d-1", Token);
        await stores.Failures.DeadLetters.DiscardAsync("stock~d-1", Token);

        Assert.Empty(await stores.Failures.CountByStateAsync(Token) ?? []);
        Assert.False(await redis.Database.KeyExistsAsync(TestStores.Key(redis.Prefix, "failed:counts")));
    }

    private static async Task RecordAsync(TestStores stores)
    {
        foreach (var id in new[] { "w-1", "w-2", "w-3" })
        {
            await stores.RecordAsync(TestStores.Waiting(id));
        }

        await stores.RecordAsync(TestStores.Dead("d-1"));
        await stores.RecordAsync(TestStores.Dead("d-1", subscription: "stock"));
    }

    private static async Task ExpectAsync(TestStores stores)
    {
        Assert.Equal(
            new FailureCounts { Subscription = "mail", Waiting = 3, Parked = 0, Deferred = 0, Dead = 1, OldestDue = TestStores.Now },
            await CountAsync(stores, "mail"));
        Assert.Equal(
            new FailureCounts { Subscription = "stock", Waiting = 0, Parked = 0, Deferred = 0, Dead = 1 },
            await CountAsync(stores, "stock"));
    }

    private static async Task<FailureCounts> CountAsync(TestStores stores, string subscription) =>
        Assert.Single(await stores.Failures.CountByStateAsync(Token) ?? [], counts => counts.Subscription == subscription);
}
