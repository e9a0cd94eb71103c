using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that each text about a Redis that is out of reach names its address and the cause, and no password.
/// </summary>
public sealed class RedisOutOfReachTests
{
    private const string Connection = "redis://user:kX9-canary@127.0.0.1:1/0";
    private const string Place = "Redis at 127.0.0.1:1 is out of reach: ";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<string> Calls => ["UseRedis", "UseRedisPubSub", "StoreInRedis"];

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Start_FailFast_NamesAddressAndCause(string call)
    {
        using var log = new LogList();
        using var host = Build(call, failFast: true, log);

        var error = await Assert.ThrowsAsync<EventBusException>(() => host.StartAsync(Token));

        // Of several attempts, the client can report one that was given up.
        Assert.Matches($"^{Place}(Connection refused|no connection could be opened)\\.", error.Message);
        Assert.Contains($"bus.{call}(...)", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("kX9", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Start_Degraded_LogsAddressAndCauseWithoutStackTraces(string call)
    {
        using var log = new LogList();
        using var host = Build(call, failFast: false, log);
        await host.StartAsync(Token);

        Assert.Contains(log.Texts, text => text.Contains($"{Place}Connection refused", StringComparison.Ordinal));
        if (call != "StoreInRedis")
        {
            var health = await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
            Assert.StartsWith(Place, health.Entries["eventbus"].Description, StringComparison.Ordinal);
            var error = await Assert.ThrowsAsync<PublishException>(
                () => host.Services.GetRequiredService<IEventBus>().PublishAsync(new ParcelSent(1), Token));
            Assert.Contains($"{Place}Connection refused", error.Message, StringComparison.Ordinal);
        }

        await host.StopAsync(Token);
        Assert.DoesNotContain(log.Texts, text => text.Contains("kX9", StringComparison.Ordinal));
        Assert.DoesNotContain(log.Texts, text => text.Contains("   at ", StringComparison.Ordinal));
    }

    private static IHost Build(string call, bool failFast, LogList log)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log).AddProvider(log).SetMinimumLevel(LogLevel.Information);
        builder.Services.AddHealthChecks();
        builder.Services.AddEventBus(bus =>
        {
            _ = call switch
            {
                "UseRedis" => bus.UseRedis(Connection),
                "UseRedisPubSub" => bus.UseRedisPubSub(Connection),
                _ => bus.UseTransport("UseLoop()", _ => new LoopTransport()).StoreInRedis(Connection),
            };
            bus.Subscribe<ParcelSent>("any", (_, _, _) => Task.CompletedTask).Configure(options =>
            {
                options.ServiceName = "app";
                options.FailFast = failFast;
                options.PublishTimeout = TimeSpan.FromSeconds(1);
            });
        });
        return builder.Build();
    }

    public sealed record ParcelSent(int Number);
}
