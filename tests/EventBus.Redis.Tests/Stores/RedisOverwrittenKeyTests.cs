using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that a key of another type stops a script before its first write. Redis does not roll back the writes of a
/// script that fails, so that a repetition could take a partial write for a complete one.
/// </summary>
public sealed class RedisOverwrittenKeyTests
{
    private static readonly string[] FailureKeys =
    [
        "failed:state",
        "failed:event",
        "failed:body",
        "failed:errors",
        "counters",
        "lines",
        "lines:parked",
        "orders:deferred",
        "orders:positions",
        "orders",
        "orders:touched",
        "due", "dead", "dead:last", "alerts", "starts", "starts:counted", "subscriptions", "due:of:mail", "dead:of:mail",
    ];

    private static readonly ProcessedKey Handled = new("mail", "handled");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string, string[]> Steps =>
    [
        .. new[] { "record", "settle", "park", "defer", "start", "advance", "claim", "revive", "discard" }.Select(
            step => new TheoryDataRow<string, string[]>(step, FailureKeys)),
        new("delay", ["delayed:event", "delayed:body", "delayed:due", "delayed:turn"]),
        .. new[] { "mark", "done" }.Select(step => new TheoryDataRow<string, string[]>(
            step,
            ["processed", "processed:outbox", "processed:ends", "processed:claims", "counters"])),
        .. new[] { "create", "save" }.Select(
            step => new TheoryDataRow<string, string[]>(step, ["sagas", "sagas:content", "sagas:place", "sagas:index", "counters"])),
    ];

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task Step_WhileAKeyHasAnotherType_ChangesNothingAndItsRepeatDoesAll(string step, string[] names)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        var run = await PrepareAsync(stores, step);
        var keys = Array.ConvertAll(names, name => TestStores.Key(redis.Prefix, name));
        var before = await DumpAsync(redis, keys);
        foreach (var key in keys)
        {
            RedisKey aside = $"{redis.Prefix}:aside";
            var exists = await redis.Database.KeyExistsAsync(key) && await redis.Database.KeyRenameAsync(key, aside);
            await redis.Database.ListLeftPushAsync(key, "overwritten");

            for (var attempt = 0; attempt < 2; attempt++)
            {
                var refusal = await Assert.ThrowsAnyAsync<Exception>(run);
                Assert.True(refusal is RedisServerException or StoreRefusedException, $"{refusal}");
                Assert.Contains($"WRONGTYPE The key {key} holds a list", refusal.Message, StringComparison.Ordinal);
            }

            Assert.True(await (exists ? redis.Database.KeyRenameAsync(aside, key) : redis.Database.KeyDeleteAsync(key)));
            Assert.Equal(before, await DumpAsync(redis, keys));
        }

        Assert.True(await run());
    }

    [Fact]
    public async Task Record_RepeatedOnceTheKeyIsRemoved_IsDueAndClaimed()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        var entry = TestStores.Waiting("p-1", "line");
        await redis.Database.ListLeftPushAsync(TestStores.Key(redis.Prefix, "due:of:mail"), "overwritten");
        await Assert.ThrowsAsync<RedisServerException>(async () => await stores.RecordAsync(entry));
        await redis.Database.KeyDeleteAsync(TestStores.Key(redis.Prefix, "due:of:mail"));

        Assert.True(await stores.RecordAsync(entry));

        Assert.Equal("p-1", Assert.Single(await stores.ClaimAsync()).Envelope.Id);
    }

    [Fact]
    public async Task Claim_AfterARefusedOne_ReturnsTheOtherSubscriptions()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await stores.RecordAsync(TestStores.Waiting("p-1", subscription: "print"));
        await redis.Database.ListLeftPushAsync(TestStores.Key(redis.Prefix, "due:of:mail"), "overwritten");
        await Assert.ThrowsAsync<RedisServerException>(() => stores.ClaimAsync(null, 10, "mail", "print"));

        Assert.Equal("p-1", Assert.Single(await stores.ClaimAsync(null, 10, "print")).Envelope.Id);
    }

    /// <summary>Creates the data that the step needs. The step returns true if it did all its work.</summary>
    private static async Task<Func<Task<bool>>> PrepareAsync(TestStores stores, string step)
    {
        var parked = TestStores.Waiting("p-2", "line") with { Status = FailedEventStatus.Parked };
        var deferred = TestStores.Waiting("p-3") with { Status = FailedEventStatus.Deferred, OrderKey = "o", Position = 2 };
        switch (step)
        {
            case "record":
                return () => stores.RecordAsync(TestStores.Waiting("p-1", "line")).AsTask();
            case "settle":
                await stores.RecordAsync(TestStores.Waiting("p-1", "line"));
                var claimed = Assert.Single(await stores.ClaimAsync());
                return () => stores.RecordAsync(claimed with { Status = FailedEventStatus.Dead, NeedsAlert = true }).AsTask();
            case "park":
                await stores.RecordAsync(TestStores.Waiting("p-1", "line"));
                return async () => await stores.Failures.TryParkAsync(parked, 10, Token) == ParkOutcome.Parked;
            case "defer":
                return async () => await stores.Failures.DeferAsync(deferred, 0, 10, Token) == DeferOutcome.Deferred;
            case "start":
                return async () =>
                    (await stores.Failures.CountAttemptAsync("mail", "p-1", new AttemptCount(1, 0), TestStores.Now, Token))?.Attempts == 2;
            case "advance":
                await stores.Failures.DeferAsync(deferred with { DueAt = TestStores.Now.AddHours(1) }, 0, 10, Token);
                return () => stores.Failures.AdvanceAsync("mail", "o", 1, TestStores.Now, Token).AsTask();
            case "claim":
                await stores.RecordAsync(TestStores.Waiting("p-1", "line"));
                return async () => (await stores.ClaimAsync()).Count == 1;
            case "revive":
                await stores.RecordAsync(TestStores.Dead("p-1", "line"));
                return () => stores.Failures.DeadLetters.RetryAsync("mail~p-1", TestStores.Now, Token).AsTask();
            case "discard":
                await stores.RecordAsync(TestStores.Dead("p-1", "line"));
                return () => stores.Failures.DeadLetters.DiscardAsync("mail~p-1", Token).AsTask();
            case "delay":
                return async () =>
                {
                    await stores.Delays.AddAsync(TestStores.Event("p-1"), TestStores.Now, Token);
                    return (await stores.Delays.ClaimDueAsync(TestStores.Now, TestStores.Lease, 10, Token)).Entries.Count == 1;
                };
            case "mark":
                return async () => (await ClaimAsync(stores)).State == ProcessedState.New;
            case "done":
                var claim = await ClaimAsync(stores);
                return async () => await stores.Processed.CompleteAsync(
                    Handled,
                    claim.FencingToken,
                    new Completion([TestStores.Event("out")], [], TestStores.Now),
                    Token)
                    && (await ClaimAsync(stores)).Outbox.Count == 1;
            case "create":
                return async () => await stores.Sagas.CreateAsync(TestStores.Saga("s-1"), Token) && await IsDueAsync(stores);
            default:
                await stores.Sagas.CreateAsync(TestStores.Saga("s-1") with { DueAt = null }, Token);
                return async () => await stores.Sagas.SaveAsync(TestStores.Saga("s-1") with { Version = 1 }, Token)
                    && await IsDueAsync(stores);
        }
    }

    private static async Task<ProcessedClaim> ClaimAsync(TestStores stores) =>
        await stores.Processed.ClaimAsync(Handled, 1, TestStores.Now, TestStores.Lease, Token);

    private static async Task<bool> IsDueAsync(TestStores stores) =>
        (await stores.Sagas.ListDueAsync(["trip"], TestStores.Now, 10, Token)).Entries.Count == 1;

    private static async Task<string[]> DumpAsync(TestRedis redis, RedisKey[] keys) =>
        Array.ConvertAll(await Task.WhenAll(keys.Select(key => redis.Database.KeyDumpAsync(key))), dump => Convert.ToHexString(dump ?? []));
}
