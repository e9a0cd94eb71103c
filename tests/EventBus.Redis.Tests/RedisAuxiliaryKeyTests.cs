using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that one key of another type, or one that the user may not access, affects only itself and is named.
/// </summary>
public sealed class RedisAuxiliaryKeyTests
{
    // The keys of these tests, without the prefix.
    private static readonly string[] AllKeys =
    [
        "aaa", "letter", "parcel", "known:streams", "open:groups", "places:parcel", "places:letter", "places:aaa", "trimmer:*", "cut:*",
        "lease:*", "fence:*",
    ];

    private static readonly Subscription All = new("all", [EventPattern.Parse("#")]);

    [Theory]
    [InlineData("known:streams", false)]
    [InlineData("known:streams", true)]
    [InlineData("open:groups", false)]
    [InlineData("open:groups", true)]
    [InlineData("places:parcel", false)]
    [InlineData("places:parcel", true)]
    [InlineData("trimmer:parcel", false)]
    [InlineData("trimmer:parcel", true)]
    public async Task AuxiliaryKey_Overwritten_StopsNothingAndIsNamedUntilItIsDeleted(string name, bool later)
    {
        await using var redis = await TestRedis.OpenAsync();
        RedisKey key = $"{{{redis.Prefix}}}:{name}";
        await (later ? Task.CompletedTask : OverwriteAsync());
        var transport = await StartAsync(redis);
        var receiver = await redis.SubscribeAsync(transport, All);
        if (later)
        {
            await OverwriteAsync();
        }

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1), TestRedis.Event(2, "letter.sent"));
        await TakeAsync(receiver, "p-1", "p-2");
        Assert.Contains(key!, (await TestRedis.HealthAsync(transport, HealthStatus.Degraded)).Description, StringComparison.Ordinal);
        string[] expected = name == "trimmer:parcel" ? ["cannot trim the stream"] : ["and treats it as empty", key!];
        await redis.Log.LineAsync(expected);

        await redis.Database.KeyDeleteAsync(key);
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
        if (name != "trimmer:parcel")
        {
            // The logger of the bus limits how often the trimmer logs, but this transport has no such logger.
            Assert.Single(redis.Log.Lines, line => expected.All(text => line.Contains(text, StringComparison.Ordinal)));
        }

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(3));
        await TakeAsync(receiver, "p-3");

        // One step, because the bus writes that key again and again.
        Task OverwriteAsync() =>
            redis.Database.ScriptEvaluateAsync("redis.call('DEL', KEYS[1]) redis.call('RPUSH', KEYS[1], 'something else')", [key]);
    }

    [Theory]
    [InlineData("lease")]
    [InlineData("fence")]
    public async Task KeyOfALease_Overwritten_IsUnhealthyAndNamedUntilItIsDeleted(string name)
    {
        await using var redis = await TestRedis.OpenAsync();
        var line = TestRedis.Parcels() with { Ordered = true };
        RedisKey key = $"{{{redis.Prefix}}}:{name}:app:parcels";
        await redis.Database.ListRightPushAsync(key, "something else");
        var transport = await redis.StartAsync(subscriptions: [line]);
        var receiver = await redis.SubscribeAsync(transport, line);

        Assert.Contains(key!, (await TestRedis.HealthAsync(transport, HealthStatus.Unhealthy)).Description, StringComparison.Ordinal);
        await redis.Database.KeyDeleteAsync(key);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await TakeAsync(receiver, "p-1");
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
    }

    [Theory]
    [InlineData("aaa", false, false)]
    [InlineData("aaa", true, false)]
    [InlineData("aaa", true, true)]
    [InlineData("known:streams", false, false)]
    [InlineData("open:groups", false, false)]
    [InlineData("places:parcel", false, false)]
    public async Task Key_WithoutPermission_StopsNothingAndIsNamedUntilItIsGranted(string name, bool later, bool ordered)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        var database = admin.GetDatabase();
        await database.StreamAddAsync($"{{{redis.Prefix}}}:aaa", [new("type", "aaa.sent"), new("id", "before"), new("data", "1")]);
        await GrantAsync(database, redis, AllKeys);
        if (!later)
        {
            await RevokeAsync(name);
        }

        var all = All with { Ordered = ordered };
        var transport = await StartAsync(redis, $"{server.EndPoint},user=limited,password=secret", all);
        var receiver = await redis.SubscribeAsync(transport, all);
        if (later)
        {
            await RevokeAsync(name);
        }

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1), TestRedis.Event(2, "letter.sent"));
        await TakeAsync(receiver, "p-1", "p-2");
        Assert.Contains(
            $":{name}'",
            (await TestRedis.HealthAsync(transport, HealthStatus.Degraded)).Description,
            StringComparison.Ordinal);
        await redis.Log.LineAsync("right", $":{name}");

        await GrantAsync(database, redis, AllKeys);
        await database.StreamAddAsync($"{{{redis.Prefix}}}:aaa", [new("type", "aaa.sent"), new("id", "again"), new("data", "1")]);
        while ((await TestRedis.NextAsync(receiver)).Envelope.Id != "again")
        {
        }

        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);

        // Keeps the rights to all other keys.
        Task RevokeAsync(string revoked) => GrantAsync(database, redis, [.. AllKeys.Where(each => each != revoked)]);
    }

    [Fact]
    public async Task Acknowledgement_RefusedRepeatedly_IsReportedAndSucceedsOnceItIsGranted()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");
        await GrantAsync(admin.GetDatabase(), redis, "*");
        var transport = await redis.StartAsync(address: $"{server.EndPoint},user=limited,password=secret");
        var receiver = await redis.SubscribeAsync(transport);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        var delivery = await TestRedis.NextAsync(receiver);

        await admin.GetDatabase().ExecuteAsync("ACL", "SETUSER", "limited", "-xack");
        await delivery.AckAsync();
        Assert.Contains(
            "cannot acknowledge",
            (await TestRedis.HealthAsync(transport, HealthStatus.Degraded)).Description,
            StringComparison.Ordinal);
        await redis.Log.LineAsync("cannot acknowledge", redis.ParcelStream!);
        await admin.GetDatabase().ExecuteAsync("ACL", "SETUSER", "limited", "+xack");

        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
        Assert.Equal(0, (await admin.GetDatabase().StreamPendingAsync(redis.ParcelStream, "app:parcels")).PendingMessageCount);
        Assert.Single(redis.Log.Lines, line => line.Contains("cannot acknowledge", StringComparison.Ordinal));
    }

    private static Task GrantAsync(IDatabase database, TestRedis redis, params string[] keys) =>
        database.ExecuteAsync(
            "ACL",
            ["SETUSER", "limited", "on", ">secret", "+@all", "&*", "resetkeys", .. keys.Select(key => $"~{{{redis.Prefix}}}:{key}")]);

    private static Task<RedisTransport> StartAsync(TestRedis redis, string? address = null, Subscription? subscription = null) =>
        redis.StartAsync(
            TimeSpan.FromSeconds(1),
            address,
            [subscription ?? All],
            configure: options => options.TrimPeriod = TimeSpan.FromMilliseconds(100));

    private static async Task TakeAsync(Receiver receiver, params string[] ids)
    {
        var left = ids.ToHashSet();
        while (left.Count > 0)
        {
            var delivery = await TestRedis.NextAsync(receiver, $"one of {string.Join(", ", left)}");
            left.Remove(delivery.Envelope.Id);
            await delivery.AckAsync();
        }
    }
}
