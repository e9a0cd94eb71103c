using EventBus.Stores;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisDelayStoreTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Event_Added_IsClaimedWhenDueAndAgainWhenNotRemoved()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        await stores.Delays.AddAsync(TestStores.Event("later"), TestStores.Now.AddDays(1), Token);
        await stores.Delays.AddAsync(TestStores.Event("second"), TestStores.Now.AddTicks(-100), Token);
        await stores.Delays.AddAsync(TestStores.Event("first"), TestStores.Now.AddTicks(-200), Token);
        await stores.Delays.AddAsync(TestStores.Event("first"), TestStores.Now.AddYears(1), Token);

        var due = await stores.Delays.ClaimDueAsync(TestStores.Now, TestStores.Lease, 10, Token);

        Assert.Equal(["first", "second"], due.Entries.Select(envelope => envelope.Id));
        Assert.Equal(TestStores.Now + TestStores.Lease, due.NextDue);
        Assert.Equal((3, 2), (await stores.Delays.CountAsync(Token), await stores.Delays.CountDueAsync(TestStores.Now, Token)));
        Assert.Empty((await stores.Delays.ClaimDueAsync(TestStores.Now, TestStores.Lease, 10, Token)).Entries);
        await stores.Delays.RemoveAsync(due.Entries[0], Token);
        Assert.Equal(
            "second",
            Assert.Single((await stores.Delays.ClaimDueAsync(TestStores.Now + TestStores.Lease, TestStores.Lease, 10, Token)).Entries).Id);
        Assert.Equal("röd", due.Entries[0].Headers["Colour"]);
    }

    [Fact]
    public async Task Claim_WithoutPermissionForDelayedEvents_IsRefusedToAServiceAndEmptyForAPublisher()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        await admin.GetDatabase()
            .ExecuteAsync("ACL", "SETUSER", "narrow", "on", ">secret", "+@all", $"~{TestStores.Key(redis.Prefix, "[^d]*")}");
        var address = $"{server.EndPoint},user=narrow,password=secret";
        await using var publisher = await TestStores.OpenAsync(redis.Prefix, address);
        await using var service = await TestStores.OpenAsync(redis.Prefix, address, "mail");

        Assert.Empty((await publisher.Delays.ClaimDueAsync(TestStores.Now, TestStores.Lease, 10, Token)).Entries);
        await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await service.Delays.ClaimDueAsync(TestStores.Now, TestStores.Lease, 10, Token));
    }

    [Fact]
    public async Task Event_Corrupted_NamesTheDefectAndBlocksNoOther()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        foreach (var id in new[] { "broken", "foreign", "empty", "gone", "good" })
        {
            await stores.Delays.AddAsync(TestStores.Event(id), TestStores.Now, Token);
        }

        await redis.Database.HashSetAsync(
            TestStores.Key(redis.Prefix, "delayed:event"),
            [new("broken", "{"), new("foreign", """{"id":"other","name":"parcel.sent"}""")]);
        await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, "delayed:body"), "empty");
        await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, "delayed:event"), "gone");
        await redis.Database.HashDeleteAsync(TestStores.Key(redis.Prefix, "delayed:body"), "gone");

        var due = await stores.Delays.ClaimDueAsync(TestStores.Now, TestStores.Lease, 10, Token);

        Assert.Equal(["broken", "empty", "foreign", "good"], due.Entries.Select(envelope => envelope.Id).Order());
        Assert.Equal("good", Assert.Single(due.Entries, envelope => envelope.Defect is null).Id);
        foreach (var envelope in due.Entries)
        {
            await stores.Delays.RemoveAsync(envelope, Token);
        }

        Assert.Equal((0, 0), (await stores.Delays.CountAsync(Token), await stores.Delays.CountDueAsync(TestStores.Now, Token)));
    }
}
