using System.Globalization;
using System.Text.RegularExpressions;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed partial class RedisTrimmerTests
{
    private const int Count = 1_000;

    private static readonly Subscription Other = TestRedis.Parcels() with { Name = "others" };

    private static CancellationToken TestToken => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stream_OfTwoGroups_IsTrimmedBehindTheSlowerOneOnly()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await StartAsync(redis);
        var fast = await redis.SubscribeAsync(transport);
        var slow = await redis.SubscribeAsync(transport, Other);
        await PublishAsync(transport);
        await HandleAsync(fast, 0, Count);

        // Redis removes whole nodes of at most 100 entries.
        await HandleAsync(slow, 0, Count / 2);
        var length = await LengthAsync(redis, length => length <= (Count / 2) + 100 + (2 * Other.Concurrency));
        Assert.InRange(length, Count / 2, Count);
        await HandleAsync(slow, Count / 2, Count / 2);
        await LengthAsync(redis, length => length <= 100);
    }

    [Fact]
    public async Task Stream_FarLongerThanRedisTrimsAtOnce_IsTrimmedInOneRound()
    {
        const int Many = 30_000;
        await using var redis = await TestRedis.OpenAsync();
        await redis.Database.StreamCreateConsumerGroupAsync(redis.ParcelStream, "app:parcels", "$");
        await redis.Database.ScriptEvaluateAsync(
            "for i = 1, tonumber(ARGV[1]) do redis.call('XADD', KEYS[1], i .. '-0', 'type', 'parcel.sent', 'data', '1') end "
                + "redis.call('XGROUP', 'SETID', KEYS[1], 'app:parcels', '$')",
            [redis.ParcelStream],
            [Many]);
        await redis.Database.SetAddAsync($"{{{redis.Prefix}}}:known:streams", "parcel");

        // The next round is later than the timeout of the test.
        await redis.StartAsync(configure: options => options.TrimPeriod = TestRedis.Patience * 10);

        await LengthAsync(redis, length => length <= 100);
    }

    [Theory]
    [InlineData("switched off")]
    [InlineData("group destroyed")]
    [InlineData("no group")]
    public async Task Stream_WithTrimmingOffOrWithoutAGroup_IsNotTrimmed(string which)
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await StartAsync(redis, options => options.Trim = which != "switched off");
        var receiver = await redis.SubscribeAsync(transport);
        await PublishAsync(transport);
        if (which == "switched off")
        {
            await HandleAsync(receiver, 0, Count);
        }
        else
        {
            // No receiver creates the group again. Unless it is retired, its position at the beginning still counts.
            await receiver.DisposeAsync();
            await redis.Database.StreamDeleteConsumerGroupAsync(redis.ParcelStream, "app:parcels");
            await redis.Database.KeyDeleteAsync(which == "no group" ? $"{{{redis.Prefix}}}:places:parcel" : "nothing");
        }

        await UntilRoundAsync(redis);
        await UntilRoundAsync(redis);

        Assert.Equal(Count, await redis.Database.StreamLengthAsync(redis.ParcelStream));
    }

    [Fact]
    public async Task Stream_AfterAKeyThatIsNoStream_IsTrimmedAndTheKeyIsNamed()
    {
        await using var redis = await TestRedis.OpenAsync();
        await redis.Database.StringSetAsync($"{{{redis.Prefix}}}:aaa", "no stream");
        await redis.Database.SetAddAsync($"{{{redis.Prefix}}}:known:streams", "aaa");
        var transport = await StartAsync(redis);
        var receiver = await redis.SubscribeAsync(transport);
        await PublishAsync(transport);
        await HandleAsync(receiver, 0, Count);

        await LengthAsync(redis, length => length <= 100);
        Assert.Contains(":aaa", (await TestRedis.HealthAsync(transport, HealthStatus.Degraded)).Description, StringComparison.Ordinal);
        Assert.Contains(":aaa", await redis.Log.LineAsync("cannot trim the stream"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_BeyondItsMaximumLength_IsTrimmedAndTheLossIsReported()
    {
        await using var redis = await TestRedis.OpenAsync();
        var publisher = await redis.StartAsync();
        await (await redis.SubscribeAsync(publisher)).DisposeAsync();
        await PublishAsync(publisher);

        var trimming = await StartAsync(redis, options => options.MaxLength = 300);

        Assert.Equal(300, await LengthAsync(redis, length => length <= 300));

        // A round ends after the period, so that there may be several with a report each.
        await Until.TrueAsync(
            "the log reports 700 deleted events", () => CountDeleted(redis.Log.Lines) == 700, TestContext.Current.CancellationToken);
        var receiver = await redis.SubscribeAsync(trimming);
        await HandleAsync(receiver, 700, 300);
    }

    [Fact]
    public async Task Stream_CreatedBeforeAWildcardHasFoundIt_IsNotTrimmed()
    {
        await using var redis = await TestRedis.OpenAsync();
        var all = new Subscription("all", [EventPattern.Parse("*.sent")]);
        var publisher = await redis.StartAsync(subscriptions: [all]);
        await (await redis.SubscribeAsync(publisher, all)).DisposeAsync();
        await redis.Database.KeyDeleteAsync([redis.ParcelStream, $"{{{redis.Prefix}}}:places:parcel"]);
        var transport = await StartAsync(redis);
        await PublishAsync(transport);
        await redis.Database.StreamCreateConsumerGroupAsync(redis.ParcelStream, "app:parcels", "$");

        await UntilRoundAsync(redis);
        await UntilRoundAsync(redis);

        Assert.Equal(Count, await redis.Database.StreamLengthAsync(redis.ParcelStream));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stream_ThatNoGroupReads_IsBoundedNamedOnceAndDegradedOnceTrimmed(bool declared)
    {
        const int Limit = 250;
        await using var redis = await TestRedis.OpenAsync();
        var transport = await StartAsync(redis, options => options.MaxUnreadLength = Limit);
        RedisKey stream = declared ? redis.ParcelStream : $"{{{redis.Prefix}}}:letter";
        var name = declared ? "parcel.sent" : "letter.sent";
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Event(0, name));
        await redis.Log.LineAsync("No consumer group reads", stream!);
        var health = await transport.CheckHealthAsync(TestToken);
        Assert.Equal((HealthStatus.Healthy, true), (health.Status, health.Data.ContainsKey(stream!)));

        foreach (var batch in Enumerable.Range(1, Count).Chunk(50))
        {
            await TestRedis.PublishAcceptedAsync(transport, [.. batch.Select(number => TestRedis.Event(number, name))]);
        }

        health = await TestRedis.HealthAsync(transport, HealthStatus.Degraded);
        Assert.Contains(stream!, health.Description, StringComparison.Ordinal);
        Assert.Contains("deleted recently", (string)health.Data[stream!], StringComparison.Ordinal);
        Assert.Equal(Limit, await LengthAsync(redis, length => length == Limit, stream));
        Assert.Equal(
            $"p-{Count}",
            (string?)(await redis.Database.StreamRangeAsync(stream, count: 1, messageOrder: Order.Descending))[0]["id"]);
        Assert.Single(redis.Log.Lines, line => line.Contains("No consumer group reads", StringComparison.Ordinal));

        // Once the group exists it counts, and its unread entries are kept.
        await redis.Database.StreamCreateConsumerGroupAsync(stream, "app:parcels", "0-0");
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Event(Count + 1, name));
        await UntilRoundAsync(redis, name.Split('.')[0]);
        await UntilRoundAsync(redis, name.Split('.')[0]);
        Assert.Equal(Limit + 1, await redis.Database.StreamLengthAsync(stream));
    }

    [Fact]
    public async Task Stream_OfTheEventsOfTheLibrary_IsBoundedSilently()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await StartAsync(redis, options => options.MaxUnreadLength = 20);
        await TestRedis.PublishAcceptedAsync(
            transport,
            [.. Enumerable.Range(0, 406).Select(number => TestRedis.Event(number, "saga.step.completed"))]);

        RedisKey stream = $"{{{redis.Prefix}}}:saga";
        Assert.Equal(20, await LengthAsync(redis, length => length <= 20, stream));
        var health = await transport.CheckHealthAsync(TestToken);
        Assert.Equal((HealthStatus.Healthy, 0), (health.Status, health.Data.Count));
        Assert.DoesNotContain(redis.Log.Lines, line => line.Contains(":saga", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Stream_Trimmed_IsDegradedForAWhileAndNotOnceItIsDeleted()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await StartAsync(redis, options => options.MaxUnreadLength = 20);
        await PublishAsync(transport);
        await TestRedis.HealthAsync(transport, HealthStatus.Degraded);

        RedisKey cut = $"{{{redis.Prefix}}}:cut:parcel";
        Assert.InRange(
            (await redis.Database.KeyTimeToLiveAsync(cut)).GetValueOrDefault(TimeSpan.MaxValue),
            TimeSpan.FromMinutes(9),
            TimeSpan.FromMinutes(10));
        await redis.Database.KeyDeleteAsync(redis.ParcelStream);
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
        Assert.False(await redis.Database.KeyExistsAsync(cut));
    }

    private static int CountDeleted(string[] lines) => lines
        .Where(line => line.Contains("(RedisOptions.MaxLength)", StringComparison.Ordinal))
        .Select(line => Regex.Match(line, @"(\d+) events were deleted that the consumer group"))
        .Where(match => match.Success)
        .Sum(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));

    private static Task<RedisTransport> StartAsync(TestRedis redis, Action<RedisOptions>? configure = null) =>
        redis.StartAsync(configure: options =>
        {
            options.TrimPeriod = TimeSpan.FromMilliseconds(100);
            configure?.Invoke(options);
        });

    private static async Task PublishAsync(Transport transport)
    {
        foreach (var batch in Enumerable.Range(0, Count).Chunk(50))
        {
            await TestRedis.PublishAcceptedAsync(transport, [.. batch.Select(number => TestRedis.Parcel(number))]);
        }
    }

    private static async Task HandleAsync(Receiver receiver, int from, int count)
    {
        for (var i = from; i < from + count; i++)
        {
            var delivery = await TestRedis.NextAsync(receiver);
            Assert.Equal($"p-{i}", delivery.Envelope.Id);
            await delivery.AckAsync();
        }
    }

    private static async Task<long> LengthAsync(TestRedis redis, Predicate<long> condition, RedisKey? stream = null)
    {
        var length = 0L;
        await Until.TrueAsync(
            () => $"the length of the stream, which is {length}",
            TestRedis.Patience,
            async () => condition(length = await redis.Database.StreamLengthAsync(stream ?? redis.ParcelStream)),
            TestToken);
        return length;
    }

    /// <summary>
    /// Waits for a round of the trimmer that begins after the call: removes the lock, and waits until an instance takes
    /// it.
    /// </summary>
    private static async Task UntilRoundAsync(TestRedis redis, string word = "parcel")
    {
        var key = $"{{{redis.Prefix}}}:trimmer:{word}";
        await redis.Database.KeyDeleteAsync(key);
        await Until.TrueAsync("the stream is trimmed", () => redis.Database.KeyExistsAsync(key), TestToken);
    }
}
