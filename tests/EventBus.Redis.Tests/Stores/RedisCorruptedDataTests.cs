using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisCorruptedDataTests
{
    private static readonly string[] BadStates =
    [
        "",
        "{",
        "[]",
        "7",
        "null",
        "\"text\"",
        "{}",
        """{"status":"dead"}""",
        """{"status":"unknown","starts":1,"replays":0,"claim":0,"number":0,"due":"1","first":"1","last":"1"}""",
        """{"status":"waiting","starts":"many","replays":0,"claim":0,"number":0,"due":"1","first":"1","last":"1"}""",
        """{"status":"waiting","starts":1.5,"replays":0,"claim":0,"number":0,"due":"1","first":"1","last":"1"}""",
        """{"status":"waiting","starts":1,"replays":0,"claim":null,"number":0,"due":"1","first":"1","last":"1"}""",
        """{"status":"waiting","starts":1,"replays":0,"claim":0,"number":0,"due":"soon","first":"1","last":"1"}""",
        """{"status":"parked","starts":1,"replays":0,"claim":0,"number":0,"due":"1","first":"1","last":"1"}""",
        """{"status":"deferred","starts":1,"replays":0,"claim":0,"number":0,"due":"1","first":"1","last":"1"}""",
        """{"status":"waiting","starts":1,"replays":0,"claim":0,"number":0,"due":"1","first":"1","last":"1","line":"mail~1~k~"}""",
        """{"status":"waiting","starts":1,"replays":0,"claim":0,"number":0,"due":"99999999999999999999","first":"1","last":"1"}""",
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, BadStates.Length)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task State_CorruptedWhileWaiting_IsClaimedAsAPlaceholderAndBlocksNoOther(int index)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await stores.RecordAsync(TestStores.Waiting("bad", "k"));
        await stores.RecordAsync(TestStores.Waiting("next", "k"));
        await stores.RecordAsync(TestStores.Waiting("good"));
        await redis.Database.HashSetAsync(TestStores.Key(redis.Prefix, "failed:state"), "mail~bad", BadStates[index]);

        var claimed = await stores.ClaimAsync();

        Assert.Equal(["bad", "good"], claimed.Select(entry => entry.Envelope.Id).Order());
        var bad = claimed.Single(entry => entry.Envelope.Id == "bad");
        Assert.NotNull(bad.Envelope.Defect);
        Assert.Equal("""{"Number":1}"""u8.ToArray(), bad.Envelope.Body.ToArray());
        Assert.True(await stores.RecordAsync(
            bad with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.Unreadable, LastFailedAt = TestStores.Now }));

        // The entry is still in its line. The event itself is intact, so that a retry repairs the entry.
        Assert.Equal("k", bad.LineKey);
        Assert.Empty(await stores.ClaimAsync());
        Assert.Null(Assert.Single(await stores.ListAsync()).Envelope.Defect);
        Assert.True(await stores.Failures.DeadLetters.RetryAsync(bad.Id, TestStores.Now, Token));
        var again = Assert.Single(await stores.ClaimAsync());
        Assert.Equal((null, "parcel.sent", "bad"), (again.Envelope.Defect, again.Envelope.Name, again.Envelope.Id));
        await stores.Failures.CompleteAsync(again, Token);
        Assert.Equal("next", Assert.Single(await stores.ClaimAsync()).Envelope.Id);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task State_CorruptedAsADeadLetter_IsListedAndNeverSwept(int index)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        foreach (var id in new[] { "first", "bad", "last" })
        {
            await stores.RecordAsync(TestStores.Dead(id));
        }

        await stores.RecordAsync(TestStores.Dead("blocking", "k"));
        await stores.RecordAsync(TestStores.Waiting("behind", "k"));
        var states = TestStores.Key(redis.Prefix, "failed:state");
        await redis.Database.HashSetAsync(states, [new("mail~bad", BadStates[index]), new("mail~blocking", BadStates[index])]);

        var listed = await stores.ListAsync();

        Assert.Equal(["blocking", "last", "bad", "first"], listed.Select(entry => entry.Envelope.Id));
        Assert.Equal([true, false, true, false], listed.Select(entry => entry.Envelope.Defect is not null));
        Assert.Equal(4, (await stores.Failures.DeadLetters.ClaimAlertsAsync(TestStores.Now, TestStores.Lease, 10, Token)).Entries.Count);
        Assert.Equal(2, await stores.Failures.DeadLetters.SweepAsync(TestStores.Now, 10, Token));
        Assert.Equal(["blocking", "bad"], (await stores.ListAsync()).Select(entry => entry.Envelope.Id));
        Assert.Equal(BadStates[index], await redis.Database.HashGetAsync(states, "mail~bad"));
        Assert.NotNull((await stores.Failures.DeadLetters.FindAsync("mail~bad", Token))!.Envelope.Defect);
        Assert.Empty(await stores.ClaimAsync());

        Assert.True(await stores.Failures.DeadLetters.DiscardAsync("mail~blocking", Token));
        Assert.Equal("behind", Assert.Single(await stores.ClaimAsync()).Envelope.Id);
        Assert.True(await stores.Failures.DeadLetters.DiscardAsync("mail~bad", Token));
        Assert.Empty(await stores.ListAsync());
        Assert.Equal(1, await stores.Failures.CountAsync(Token));
    }

    [Fact]
    public async Task Event_CorruptedOrMissing_IsAPlaceholderAndStays()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        string[] ids = ["broken", "foreign", "bodiless", "stateless", "good"];
        foreach (var id in ids)
        {
            await stores.RecordAsync(TestStores.Waiting(id));
            await stores.RecordAsync(TestStores.Dead(id, subscription: "print"));
        }

        foreach (var subscription in new[] { "mail", "print" })
        {
            var events = TestStores.Key(redis.Prefix, "failed:event");
            await redis.Database.HashSetAsync(
                events,
                [new($"{subscription}~broken", "{\"id\":"), new($"{subscription}~foreign", """{"id":"other","name":"parcel.sent"}""")]);
            await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, "failed:body"), $"{subscription}~bodiless");
            await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, "failed:state"), $"{subscription}~stateless");
            await redis.Database.HashSetAsync(TestStores.Key(redis.Prefix, "failed:errors"), $"{subscription}~good", "{]");
        }

        var claimed = await stores.ClaimAsync();
        var listed = await stores.ListAsync();

        foreach (var found in new[] { claimed, listed })
        {
            Assert.Equal(ids.Order(), found.Select(entry => entry.Envelope.Id).Order());
            Assert.Equal("good", Assert.Single(found, entry => entry.Envelope.Defect is null).Envelope.Id);
        }

        Assert.Equal(1, await stores.Failures.DeadLetters.SweepAsync(TestStores.Now, 10, Token));
        Assert.Equal(4, (await stores.ListAsync()).Count);
    }

    [Fact]
    public async Task Indexes_WithoutAnEntry_AreSkippedAndRemoved()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await stores.RecordAsync(TestStores.Waiting("head", "k"));
        await stores.RecordAsync(TestStores.Waiting("next", "k"));
        await stores.RecordAsync(TestStores.Dead("dead"));
        for (var i = 0; i < 50; i++)
        {
            foreach (var index in new[] { "due", "due:of:mail", "dead", "dead:of:mail", "dead:last", "alerts" })
            {
                await redis.Database.SortedSetAddAsync(TestStores.Key(redis.Prefix, index), $"mail~none-{i}", i);
            }
        }

        // A dead letter is never started, even if an index lists it as due.
        await redis.Database.SortedSetAddAsync(TestStores.Key(redis.Prefix, "due:of:mail"), "mail~dead", 1);
        foreach (var hash in new[] { "state", "event", "body", "errors" })
        {
            await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, $"failed:{hash}"), "mail~head");
        }

        await redis.Database.SortedSetAddAsync(TestStores.Key(redis.Prefix, "due:of:mail"), "mail~next", 2);

        Assert.Equal("next", Assert.Single(await stores.ClaimAsync(max: 5)).Envelope.Id);
        Assert.Equal(
            "mail~dead",
            Assert.Single((await stores.Failures.DeadLetters.ClaimAlertsAsync(TestStores.Now, TestStores.Lease, 100, Token)).Entries).Id);
        Assert.Equal("dead", (await stores.ListAsync()).First(entry => entry.Envelope.Defect is null).Envelope.Id);
        Assert.Equal(1, await stores.Failures.DeadLetters.SweepAsync(TestStores.Now, 100, Token));
    }
}
