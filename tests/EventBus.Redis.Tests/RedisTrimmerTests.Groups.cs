using System.Text.RegularExpressions;
using EventBus.Transports;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed partial class RedisTrimmerTests
{
    [Fact]
    public async Task Group_UnusedForLong_IsDegradedUntilItIsRetired()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await StartAsync(
            redis,
            options => (options.IdleGroupAfter, options.ClaimAfter) = (TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1)));
        await (await redis.SubscribeAsync(transport)).DisposeAsync();
        Assert.Equal(HealthStatus.Healthy, (await transport.CheckHealthAsync(TestToken)).Status);
        await PublishAsync(transport);

        Assert.Contains(
            "ISubscriptionManager.RetireAsync(\"parcels\")",
            await redis.Log.LineAsync("has not read its events"),
            StringComparison.Ordinal);
        var health = await TestRedis.HealthAsync(transport, HealthStatus.Degraded);
        Assert.Contains("'app:parcels'", health.Description, StringComparison.Ordinal);
        Assert.Contains("ISubscriptionManager.RetireAsync(\"parcels\")", health.Description, StringComparison.Ordinal);

        await transport.RetireAsync("parcels", discardWaiting: true, TestToken);
        await TestRedis.HealthAsync(transport, HealthStatus.Healthy);
        Assert.Equal(Count, await redis.Database.StreamLengthAsync(redis.ParcelStream));
    }

    [Fact]
    public async Task Group_UnusedAndOfAnotherApplication_NamesAPossibleFix()
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await StartAsync(redis, options => options.IdleGroupAfter = TimeSpan.FromSeconds(1));
        await redis.Database.StreamCreateConsumerGroupAsync(redis.ParcelStream, "billing.invoices", "$");
        await PublishAsync(transport);

        var health = await TestRedis.HealthAsync(transport, HealthStatus.Degraded);
        Assert.Contains($"XGROUP DESTROY {redis.ParcelStream} billing.invoices", health.Description, StringComparison.Ordinal);
        Assert.Contains(
            "in the application that it belongs to",
            await redis.Log.LineAsync("has not read its events"),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("app:removed", "ISubscriptionManager.RetireAsync(\"removed\")", true)]
    [InlineData("renamed:mail", "XGROUP DESTROY", false)]
    public async Task Group_OfARemovedSubscription_IsNamedWithItsRemovalAndNeverTrimmed(string group, string removal, bool ours)
    {
        await using var redis = await TestRedis.OpenAsync();
        var transport = await StartAsync(redis, options => options.MaxUnreadLength = 20);
        await redis.Database.StreamCreateConsumerGroupAsync(redis.ParcelStream, group, "$");
        await PublishAsync(transport);

        Assert.Contains(removal, await UntilNamedAsync(redis, transport, group), StringComparison.Ordinal);
        await UntilRoundAsync(redis);
        await UntilRoundAsync(redis);
        await UntilRoundAsync(redis);
        Assert.Equal(Count, await redis.Database.StreamLengthAsync(redis.ParcelStream));
        Assert.Equal(HealthStatus.Healthy, (await transport.CheckHealthAsync(TestToken)).Status);
        Assert.Equal(ours ? 1 : 0, redis.Log.Lines.Count(line => line.Contains(group, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task GroupOfAWildcard_RemovedByTheNamedCommands_IsGone()
    {
        const string Group = "renamed:all";
        await using var redis = await TestRedis.OpenAsync();
        await redis.Database.StreamCreateConsumerGroupAsync(redis.ParcelStream, Group, "0-0");
        await redis.Database.SetAddAsync($"{{{redis.Prefix}}}:open:groups", Group);
        await redis.Database.HashSetAsync($"{{{redis.Prefix}}}:places:parcel", Group, "0-0");
        var transport = await StartAsync(redis);
        var receiver = await redis.SubscribeAsync(transport);
        await PublishAsync(transport);
        await HandleAsync(receiver, 0, Count);
        var description = await UntilNamedAsync(redis, transport, Group);
        Assert.Equal(Count, await redis.Database.StreamLengthAsync(redis.ParcelStream));
        foreach (Match command in Regex.Matches(description, $"[A-Z]+( [A-Z]+)? \\S+ {Group}"))
        {
            var words = command.Value.Split(' ');
            await redis.Database.ExecuteAsync(words[0], [.. words[1..]]);
        }

        await LengthAsync(redis, length => length <= 100);
    }

    /// <summary>Waits until the health check names a group, and returns its text.</summary>
    private static async Task<string> UntilNamedAsync(TestRedis redis, Transport transport, string group)
    {
        object? text = null;
        await Until.TrueAsync(
            "the group is named",
            async () => (await transport.CheckHealthAsync(TestToken)).Data.TryGetValue($"{redis.ParcelStream} {group}", out text),
            TestToken);
        return (string)text!;
    }
}
