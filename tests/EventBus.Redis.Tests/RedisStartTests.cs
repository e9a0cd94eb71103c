using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisStartTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Start_WithoutRedis_WaitsForOneConnectionOnly(bool silent)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        if (!silent)
        {
            listener.Stop();
        }

        // The client tries three times, 1 s each, for any number of subscriptions.
        Assert.InRange(await StartAsync(port, subscriptions: 5), TimeSpan.Zero, TimeSpan.FromSeconds(10));
    }

    [Fact]
    public async Task Start_RedisIsTooOld_IsRefusedAndNamesTheVersion()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var valve = new ReplyValve();

        // The client would report the version of Valkey, which INFO names next to that of the compatible Redis.
        var info = (string?)await redis.Database.ExecuteAsync("INFO", "server") ?? "";
        var reported = info.Split('\n').Single(line => line.StartsWith("redis_version:", StringComparison.Ordinal)).TrimEnd();
        var old = "redis_version:6.0.99999"[..reported.Length];
        valve.Rewrite = (Encoding.ASCII.GetBytes(reported), Encoding.ASCII.GetBytes(old));

        var exception = await Assert.ThrowsAsync<EventBusException>(() => redis.StartAsync(address: valve.Address));

        Assert.Contains($"has version {old["redis_version:".Length..]}", exception.Message, StringComparison.Ordinal);
        Assert.Contains("at least 6.2", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Subscribe_CancelledWhileItConnects_LeavesNoConnection()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var lent = await ConnectionMultiplexer.ConnectAsync(TestRedis.Address);
        await using var valve = new ReplyValve();
        var connector = new RedisConnector(
            ConfigurationOptions.Parse($"{valve.Address},name={redis.Prefix}"),
            "bus.UseRedis()",
            redis.Log)
        { ApplicationConnection = lent };
        await using var transport = new RedisTransport(connector, new RedisOptions { KeyPrefix = redis.Prefix }, redis.Log);
        await transport.StartAsync(
            new TransportTopology("app", [TestRedis.Parcels()], ["parcel.sent"], TimeProvider.System),
            TestContext.Current.CancellationToken);
        await redis.UntilConnectedAsync(count => count == 0);

        valve.Close();
        using var cancel = new CancellationTokenSource();
        var subscribing = transport.SubscribeAsync(TestRedis.Parcels(), cancel.Token).AsTask();
        await redis.UntilConnectedAsync(count => count > 0);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => subscribing);
        valve.Open();

        await redis.UntilConnectedAsync(count => count == 0);
    }

    [Fact]
    public async Task Subscribe_UserWithoutPermission_NamesTheKeysAndCommands()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var server = new PrivateRedis("--user", "default", "on", "nopass", "~*", "&*", "+@all", "-xgroup");
        await server.StartAsync();
        var transport = await redis.StartAsync(address: server.Address);

        var exception = await Assert.ThrowsAsync<EventBusException>(() => redis.SubscribeAsync(transport));

        Assert.Contains($"'{redis.ParcelStream}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("ACL SETUSER", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Subscribe_KeyOfTheStreamHasAnotherType_IsRefused()
    {
        await using var redis = await TestRedis.OpenAsync();
        await redis.Database.StringSetAsync(redis.ParcelStream, "no stream");
        var transport = await redis.StartAsync();

        var exception = await Assert.ThrowsAsync<EventBusException>(() => redis.SubscribeAsync(transport));

        Assert.Contains($"'{redis.ParcelStream}'", exception.Message, StringComparison.Ordinal);
        Assert.Contains("rename it", exception.Message, StringComparison.Ordinal);
    }

    private static async Task<TimeSpan> StartAsync(int port, int subscriptions)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus =>
        {
            bus.UseRedis($"127.0.0.1:{port},connectTimeout=1000").Configure(options => options.ServiceName = "app");
            for (var i = 0; i < subscriptions; i++)
            {
                bus.Subscribe<ParcelSent>($"s{i}", (_, _, _) => Task.CompletedTask);
            }
        });
        using var host = builder.Build();
        var startedAt = Stopwatch.GetTimestamp();
        await host.StartAsync(TestContext.Current.CancellationToken);
        var took = Stopwatch.GetElapsedTime(startedAt);
        await host.StopAsync(TestContext.Current.CancellationToken);
        return took;
    }
}
