using System.Diagnostics;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

/// <summary>Tests failovers, in which another server becomes the primary.</summary>
public sealed class RedisRoleTests
{
    [Fact]
    public async Task Primary_DemotedWhileItRuns_IsReplacedByTheNewOne()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var first = await PrimaryAsync();
        await using var second = await ReplicaOfAsync(first);
        var transport = await redis.StartAsync(address: $"{first.EndPoint},{second.Address}");
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));

        await using (var admin = await AdminAsync(second))
        {
            await admin.GetDatabase().ExecuteAsync("REPLICAOF", "NO", "ONE");
        }

        await using (var admin = await AdminAsync(first))
        {
            await admin.GetDatabase().ExecuteAsync("REPLICAOF", "127.0.0.1", second.EndPoint.Split(':')[1]);
        }

        await PublishUntilAcceptedAsync(transport);
    }

    [Fact]
    public async Task Primary_KilledAndReplacedManually_IsReplacedByTheNewOne()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var first = await PrimaryAsync();
        await using var second = await ReplicaOfAsync(first);
        var transport = await redis.StartAsync(address: $"{first.EndPoint},{second.Address}");
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));

        await first.KillAsync();
        await using (var admin = await AdminAsync(second))
        {
            await admin.GetDatabase().ExecuteAsync("REPLICAOF", "NO", "ONE");
        }

        await PublishUntilAcceptedAsync(transport);
    }

    /// <summary>
    /// A primary that was killed and restarted reports the role of a primary until a sentinel corrects it. Writes that
    /// it accepts in between would be lost.
    /// </summary>
    [Fact]
    public async Task Primary_KilledAndRestarted_IsNotUsedInsteadOfTheOneThatTheSentinelsName()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var first = await PrimaryAsync();
        await using var second = await ReplicaOfAsync(first);
        await using var sentinel = await Sentinel.StartAsync(first);
        var transport =
            await redis.StartAsync(address: $"{sentinel.EndPoint},serviceName={Sentinel.Service},password={PrivateRedis.Password}");
        await TestRedis.PublishAcceptedAsync(transport, TestRedis.Parcel(1));

        await first.KillAsync();
        await PublishUntilAcceptedAsync(transport);
        await first.StartAsync();
        await using var left = await AdminAsync(first);
        await using var right = await AdminAsync(second);
        for (var round = 0; round < 15; round++)
        {
            // A new connection selects the server again.
            await right.GetDatabase().ExecuteAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
            await PublishUntilAcceptedAsync(transport);
            Assert.Contains($"name={redis.Prefix} ", await ClientsAsync(right), StringComparison.Ordinal);
            Assert.DoesNotContain($"name={redis.Prefix} ", await ClientsAsync(left), StringComparison.Ordinal);
        }

        static async Task<string> ClientsAsync(ConnectionMultiplexer admin) =>
            (string)(await admin.GetDatabase().ExecuteAsync("CLIENT", "LIST"))!;
    }

    [Fact]
    public async Task Sentinels_ThatDoNotKnowTheService_AreNamedInTheErrorAndTheLog()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var first = await PrimaryAsync();
        await using var second = await ReplicaOfAsync(first);
        await using var sentinel = await Sentinel.StartAsync(first);

        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => redis.StartAsync(
                address: $"{sentinel.EndPoint},serviceName=unknown,password={PrivateRedis.Password},connectTimeout=1000",
                failFast: true));

        Assert.Contains("names a primary of the service 'unknown'", exception.Message, StringComparison.Ordinal);
        await redis.Log.LineAsync("(service unknown). It asks them again");
    }

    [Fact]
    public async Task Registered_BehindSentinels_CarriesEvents()
    {
        await using var first = await PrimaryAsync();
        await using var second = await ReplicaOfAsync(first);
        await using var sentinel = await Sentinel.StartAsync(first);
        await using var registered = await ConnectionMultiplexer.ConnectAsync(
            $"{sentinel.EndPoint},serviceName={Sentinel.Service},password={PrivateRedis.Password}");
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddSingleton<IConnectionMultiplexer>(registered);
        var handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        builder.Services.AddEventBus(
            bus => bus.UseRedis().Configure(options => options.ServiceName = "app").Subscribe<ParcelSent>("any", (_, _, _) =>
            {
                handled.TrySetResult();
                return Task.CompletedTask;
            }));
        using var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);

        await host.Services.GetRequiredService<IEventBus>().PublishAsync(new ParcelSent(1), TestContext.Current.CancellationToken);

        await handled.Task.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);
        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Sentinels_Closed_AreNotAskedAgain()
    {
        var sentinels = new RedisSentinels(ConfigurationOptions.Parse("127.0.0.1:1,serviceName=tests"), new TestLog());
        await sentinels.CloseAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(sentinels.FindPrimaryAsync);
    }

    private static async Task<PrivateRedis> PrimaryAsync()
    {
        var server = new PrivateRedis("--masterauth", PrivateRedis.Password, "--repl-diskless-sync-delay", "0");
        await server.StartAsync();
        return server;
    }

    private static async Task<PrivateRedis> ReplicaOfAsync(PrivateRedis primary)
    {
        var server = new PrivateRedis(
            "--masterauth",
            PrivateRedis.Password,
            "--repl-diskless-sync-delay",
            "0",
            "--replicaof",
            primary.EndPoint.Replace(':', ' '));
        await server.StartAsync();
        await using var admin = await AdminAsync(server);
        await Until.TrueAsync(
            "the replica follows its primary",
            async () => ((string)(await admin.GetDatabase().ExecuteAsync("INFO", "replication"))!).Contains(
                "master_link_status:up",
                StringComparison.Ordinal),
            TestContext.Current.CancellationToken);

        return server;
    }

    private static Task<ConnectionMultiplexer> AdminAsync(PrivateRedis server) =>
        ConnectionMultiplexer.ConnectAsync($"{server.Address},allowAdmin=true");

    /// <summary>Publishes until the event is accepted. The client itself checks the roles once a minute.</summary>
    private static async Task PublishUntilAcceptedAsync(Transport transport)
    {
        var number = 2;
        await Until.TrueAsync(
            "an event is accepted after a primary was elected",
            TestRedis.Patience,
            async () => (await TestRedis.PublishAsync(transport, TestRedis.Parcel(number++)))[0].Status == PublishStatus.Accepted,
            TestContext.Current.CancellationToken);
    }

    /// <summary>A single sentinel, which is enough to promote a replica.</summary>
    private sealed class Sentinel(string folder, int port) : IAsyncDisposable
    {
        public const string Service = "tests";

        private Process? process;

        public string EndPoint => $"127.0.0.1:{port}";

        public static async Task<Sentinel> StartAsync(PrivateRedis primary)
        {
            var folder = Directory.CreateTempSubdirectory("eventbus-sentinel-").FullName;
            var sentinel = new Sentinel(folder, FreePort.Next());
            var file = Path.Combine(folder, "sentinel.conf");
            await File.WriteAllLinesAsync(file,
            [
                $"port {sentinel.EndPoint.Split(':')[1]}", "bind 127.0.0.1", $"dir {folder}", $"requirepass {PrivateRedis.Password}",
                $"sentinel monitor {Service} {primary.EndPoint.Replace(':', ' ')} 1",
                $"sentinel auth-pass {Service} {PrivateRedis.Password}",
                $"sentinel down-after-milliseconds {Service} 500", $"sentinel failover-timeout {Service} 2000",
            ]);
            sentinel.process =
                Process.Start(new ProcessStartInfo("redis-server", [file, "--sentinel", "--logfile", Path.Combine(folder, "log")]))!;

            await using var admin = await ConnectionMultiplexer.SentinelConnectAsync(
                $"{sentinel.EndPoint},password={PrivateRedis.Password},abortConnect=false");
            await Until.TrueAsync(
                "the sentinel has found the replica",
                () => sentinel.HasReplicaAsync(admin),
                TestContext.Current.CancellationToken);

            return sentinel;
        }

        public async ValueTask DisposeAsync()
        {
            process!.Kill();
            await process.WaitForExitAsync().WaitAsync(TestRedis.Patience);
            process.Dispose();
            Directory.Delete(folder, recursive: true);
        }

        private async Task<bool> HasReplicaAsync(ConnectionMultiplexer admin)
        {
            try
            {
                return (await admin.GetServer(EndPoint).SentinelReplicasAsync(Service)).Any(
                    replica => replica.Any(each => each is { Key: "master-link-status", Value: "ok" }));
            }
            catch (RedisException)
            {
                return false;
            }
        }
    }
}
