using System.Text.RegularExpressions;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>
/// Tests users with exactly the rights that docs/redis.md lists, and users without the rights that are only for
/// information.
/// </summary>
public sealed partial class RedisPermissionTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("+@all", "-@dangerous")]
    [InlineData("+@all", "-info")]
    [InlineData("+@all", "-info", "-config", "-ping")]
    public async Task Start_UserWithoutInfo_StartsAndReportsTheSkippedChecks(params string[] rights)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await AdminOf(server);
        await admin.GetDatabase().ExecuteAsync("ACL", ["SETUSER", "limited", "on", ">secret", "~*", "&*", .. rights]);
        var transport = await redis.StartAsync(address: $"{server.EndPoint},user=limited,password=secret", failFast: true);
        var receiver = await redis.SubscribeAsync(transport);

        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));
        await (await TestRedis.NextAsync(receiver)).AckAsync();

        await redis.Log.LineAsync("The bus cannot check", "appendonly");
        Assert.DoesNotContain(redis.Log.Lines, line => line.Contains("whether the version", StringComparison.Ordinal));
        Assert.Equal(HealthStatus.Healthy, (await transport.CheckHealthAsync(Token)).Status);
    }

    [Theory]
    [InlineData("streams-service")]
    [InlineData("streams-publisher")]
    [InlineData("stores")]
    [InlineData("pubsub-service")]
    [InlineData("pubsub-publisher")]
    public async Task Process_WithTheDocumentedPermissions_WorksWithoutWarnings(string role)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await AdminOf(server);
        var prefix = redis.Prefix;
        await admin.GetDatabase()
            .ExecuteAsync("ACL", [.. RightsOf(role).Replace("eventbus", prefix, StringComparison.Ordinal).Split(' ')[1..]]);
        var address = $"{server.EndPoint},user={role},password=password";
        var (handled, starts) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), 0);
        using var logs = new LogList();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(logs).SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddHealthChecks();
        builder.Services.AddEventBus(bus =>
        {
            bus.Configure(options => options.ServiceName = "shop").Retry(1, TimeSpan.FromMilliseconds(10)).Publishes<ParcelSent>();
            _ = role switch
            {
                "stores" => bus.UseRedis(server.Address, Settings).StoreInRedis(address, options => options.KeyPrefix = prefix),
                "pubsub-service" => bus.UseRedisPubSub(address, options => options.KeyPrefix = prefix)
                    .StoreInRedis(address, options => options.KeyPrefix = prefix),
                "pubsub-publisher" => bus.UseRedisPubSub(address, options => options.KeyPrefix = prefix),
                _ => bus.UseRedis(address, Settings),
            };
            if (!role.EndsWith("publisher", StringComparison.Ordinal))
            {
                bus.Subscribe("mail", subscription => subscription.Idempotent().On<ParcelSent>((parcel, _, _) => parcel.Number == 2
                    && Interlocked.Increment(ref starts) == 1 ? throw new InvalidOperationException("Once.") : Handled(parcel)));
                _ = role.StartsWith("pubsub", StringComparison.Ordinal)
                    ? bus
                    : bus.Subscribe("line", subscription => subscription.Ordered().On<ParcelSent>((_, _, _) => Task.CompletedTask));
                bus.SubscribePattern("all", "#", (_, _) => Task.CompletedTask);
            }
        });
        using var host = builder.Build();
        await host.StartAsync(Token);
        var bus = host.Services.GetRequiredService<IEventBus>();
        await bus.PublishAsync(new ParcelSent(1), cancellationToken: Token);
        await bus.PublishManyAsync([new ParcelSent(2), new ParcelSent(3)], cancellationToken: Token);
        if (!role.EndsWith("publisher", StringComparison.Ordinal))
        {
            await handled.Task.WaitAsync(TestRedis.Patience, Token);
        }

        // Several rounds of each background loop.
        for (var health = 0; health < 3; health++)
        {
            var report = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
            Assert.True(report.Status == HealthStatus.Healthy, string.Join(' ', report.Entries.Values.Select(entry => entry.Description)));
        }

        await host.StopAsync(Token);

        var unexpected = logs.Texts.Where(text => !text.StartsWith("mail failed to handle", StringComparison.Ordinal)
            && !text.StartsWith("mail is idempotent, and", StringComparison.Ordinal));
        Assert.True(!unexpected.Any(), string.Join(Environment.NewLine, unexpected));

        // A publisher checks whether there is something to trim or to publish later, and leaves the work to services.
        Assert.Empty(role.EndsWith("publisher", StringComparison.Ordinal) ? [] : await RefusedAsync(admin, role));

        void Settings(RedisOptions options) =>
            (options.KeyPrefix, options.ClaimAfter, options.TrimPeriod) = (prefix, TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(200));

        Task Handled(ParcelSent parcel)
        {
            if (parcel.Number == 2)
            {
                handled.TrySetResult();
            }

            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Publisher_WithoutPermissionToTrim_ReportsItOnce()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await AdminOf(server);
        await admin.GetDatabase().ExecuteAsync(
            "ACL",
            [.. RightsOf("streams-publisher").Replace("eventbus", redis.Prefix, StringComparison.Ordinal).Split(' ')[1..]]);
        var transport = await redis.StartAsync(
            address: $"{server.EndPoint},user=streams-publisher,password=password",
            subscriptions: [],
            configure: options => options.TrimPeriod = TimeSpan.FromMilliseconds(100));
        await redis.Log.LineAsync("whether streams must be trimmed", "SMEMBERS");

        // A few more rounds.
        await Until.TrueAsync("the trimmer continues", async () => (await RefusalsAsync(admin, "smembers")) >= 4, Token);

        Assert.Single(redis.Log.Lines, line => line.Contains("whether streams must be trimmed", StringComparison.Ordinal));
        Assert.Equal(HealthStatus.Healthy, (await transport.CheckHealthAsync(Token)).Status);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Stores_OfSubscriptions_WorkWithTheDocumentedPermissionsAndReportMissingOnesOnce(bool granted)
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis();
        await server.StartAsync();
        await using var admin = await AdminOf(server);
        var rights = RightsOf("stores").Replace("eventbus", redis.Prefix, StringComparison.Ordinal).Split(' ')[1..];
        await admin.GetDatabase()
            .ExecuteAsync("ACL", [.. rights.Where(right => granted || !right.Contains("known:subscriptions", StringComparison.Ordinal))]);
        using var logs = new LogList();
        var connector = new RedisConnector(
            ConfigurationOptions.Parse($"{server.EndPoint},user=stores,password=password"),
            "bus.StoreInRedis(...)",
            logs);
        var stores = new RedisStores(connector, redis.Prefix, logs);
        await stores.OpenAsync(new StoreSetup("shop", TimeProvider.System) { FailFast = true }, Token);
        try
        {
            for (var look = 0; look < 2; look++)
            {
                var names = await stores.Subscriptions!.RecordAsync("rabbitmq", ["mail"], TestStores.Now, Token);
                Assert.Equal(granted ? [("shop", "mail", TestStores.Now)] : [], names);
            }
        }
        finally
        {
            await stores.CloseAsync();
        }

        Assert.Equal(granted ? 0 : 1, logs.Texts.Count(
            text => text.Contains("which subscriptions of the backend rabbitmq no instance uses", StringComparison.Ordinal)));
    }

    private static async Task<long> RefusalsAsync(ConnectionMultiplexer admin, string command) =>
        ((RedisResult[])(await admin.GetDatabase().ExecuteAsync("ACL", "LOG", "100"))!).Select(entry => entry.ToDictionary())
            .Where(entry => (string?)entry["object"] == command)
            .Sum(entry => (long)entry["count"]);

    /// <summary>
    /// Returns the commands that Redis has refused to a user, except those that the client sends when it connects.
    /// </summary>
    private static async Task<string[]> RefusedAsync(ConnectionMultiplexer admin, string user)
    {
        var log = (RedisResult[])(await admin.GetDatabase().ExecuteAsync("ACL", "LOG", "100"))!;
        return [.. log.Select(entry => entry.ToDictionary())
            .Where(entry => (string?)entry["username"] == user)
            .Select(entry => $"{entry["reason"]} {entry["object"]} ({entry["context"]})")
            .Where(refused => !Probes().IsMatch(refused))];
    }

    private static async Task<ConnectionMultiplexer> AdminOf(PrivateRedis server) =>
        await ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");

    private static string RightsOf(string role)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "EventBus.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("The tests are not in the folder of the solution.");
        }

        return File.ReadLines(Path.Combine(folder.FullName, "docs", "redis.md"))
            .Single(line => line.StartsWith($"ACL SETUSER {role} ", StringComparison.Ordinal));
    }

    [GeneratedRegex("^command (cluster|config|sentinel|info|subscribe)|__Booksleeve_")]
    private static partial Regex Probes();
}
