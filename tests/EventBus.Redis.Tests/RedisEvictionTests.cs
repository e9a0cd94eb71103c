using EventBus.Conformance;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Redis.Tests;

/// <summary>Shows that a Redis that may remove keys is warned of once at the start.</summary>
public sealed class RedisEvictionTests
{
    [Theory]
    [InlineData("UseRedis", "allkeys-lru", 1)]
    [InlineData("UseRedisPubSub", "volatile-ttl", 1)]
    [InlineData("StoreInRedis", "allkeys-random", 1)]
    [InlineData("UseRedis", "noeviction", 0)]
    public async Task Start_EvictionPolicy_IsWarnedOfOnceUnlessItKeepsAllKeys(string call, string policy, int warnings)
    {
        await using var server = new PrivateRedis("--maxmemory", "100mb", "--maxmemory-policy", policy);
        await server.StartAsync();
        using var log = new LogList();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log).AddProvider(log);
        builder.Services.AddEventBus(bus =>
        {
            _ = call switch
            {
                "UseRedis" => bus.UseRedis(server.Address),
                "UseRedisPubSub" => bus.UseRedisPubSub(server.Address),
                _ => bus.UseTransport("UseLoop()", _ => new LoopTransport()).StoreInRedis(server.Address),
            };
            bus.Configure(options => options.ServiceName = "app");
        });
        using var host = builder.Build();

        await host.StartAsync(TestContext.Current.CancellationToken);
        await host.StopAsync(TestContext.Current.CancellationToken);

        var found = log.Texts.Where(text => text.Contains("maxmemory-policy", StringComparison.Ordinal)).ToList();
        Assert.Equal(warnings, found.Count);
        Assert.All(found, text => Assert.Contains($"maxmemory-policy {policy}, maxmemory 104857600", text, StringComparison.Ordinal));
    }
}
