using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace EventBus.Redis.Tests;

public sealed class RedisConnectionSourceTests
{
    private const string Secret = "kX9-canary/=@";

    public static TheoryData<string> Calls => ["UseRedis", "UseRedisPubSub", "StoreInRedis"];

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Registered_WithCredentials_CarriesEventsAndStaysOpen(string call)
    {
        await using var server = await StartLockedAsync();
        await using var registered = await ConnectionMultiplexer.ConnectAsync(
            new ConfigurationOptions { EndPoints = { server.EndPoint }, User = "bus", Password = Secret });
        var log = new LogList();
        var handled = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using (var host = Build(
            bus => Choose(bus, call)
                .Retry(TimeSpan.FromMilliseconds(1))
                .Subscribe("once", s => s.Idempotent().On<ParcelSent>((_, context, _) =>
                {
                    // The retry uses the store.
                    _ = context.Attempt > 1
                        ? handled.TrySetResult(context.Attempt)
                        : throw new InvalidOperationException("The handler fails on purpose.");
                    return Task.CompletedTask;
                })),
            registered,
            log))
        {
            await host.StartAsync(TestContext.Current.CancellationToken);
            await host.Services.GetRequiredService<IEventBus>().PublishAsync(new ParcelSent(1), TestContext.Current.CancellationToken);
            Assert.Equal(2, await handled.Task.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken));
            await host.StopAsync(TestContext.Current.CancellationToken);
        }

        Assert.True(registered.IsConnected);
        await registered.GetDatabase().PingAsync();
        Assert.DoesNotContain(Secret, string.Join('\n', log.Texts), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Calls))]
    public async Task Registered_Nothing_NamesTheRegistration(string call)
    {
        using var host = Build(bus => Choose(bus, call));

        var exception =
            await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains(
            $"bus.{call}() was called without a connection string, and the application registers no IConnectionMultiplexer",
            exception.Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Registered_WithoutAServer_StartsDegradedAndRecovers()
    {
        await using var server = new PrivateRedis();
        await using var registered =
            await ConnectionMultiplexer.ConnectAsync($"{server.Address},abortConnect=false,connectTimeout=300,asyncTimeout=500");
        var handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var host = Build(
            bus => bus.UseRedis().Subscribe<ParcelSent>("any", (_, _, _) =>
            {
                handled.TrySetResult();
                return Task.CompletedTask;
            }),
            registered);
        await host.StartAsync(TestContext.Current.CancellationToken);
        await server.StartAsync();

        // The group receives only events that are published after its creation.
        var bus = host.Services.GetRequiredService<IEventBus>();
        await Until.TrueAsync(
            "an event is handled after Redis has started",
            async () =>
            {
                try
                {
                    await bus.PublishAsync(
                        new ParcelSent(1),
                        new PublishOptions { Timeout = TimeSpan.FromSeconds(1) },
                        TestContext.Current.CancellationToken);
                }
                catch (PublishException)
                {
                }

                return handled.Task.IsCompleted;
            },
            TestContext.Current.CancellationToken);

        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Registered_CredentialsSetInCode_AreRefusedWhereOwnConnectionsAreNeeded()
    {
        await using var server = await StartLockedAsync();
        var options = new ConfigurationOptions { EndPoints = { server.EndPoint }, Defaults = new SecretProvider() };
        await using var registered = await ConnectionMultiplexer.ConnectAsync(options);
        Assert.True(registered.IsConnected);

        // Without FailFast a server that does not answer in time would let the start continue.
        using var host = Build(
            bus => bus.UseRedis()
                .Configure(options => options.FailFast = true)
                .Subscribe<ParcelSent>("any", (_, _, _) => Task.CompletedTask),
            registered);

        var exception = await Assert.ThrowsAsync<EventBusException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains("Pass a connection string", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, exception.ToString(), StringComparison.Ordinal);
        Assert.True(registered.IsConnected);
    }

    [Fact]
    public async Task Sentinels_WithTlsAndWithoutItsHost_AreRefusedAtTheStart()
    {
        using var host = Build(bus => bus.UseRedis("sentinel:26379,serviceName=shop,ssl=true"));

        var exception =
            await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains("sslHost=", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Registered_PasswordWithAComma_IsRefusedAndNotShown()
    {
        foreach (var password in new[] { "first,second-canary", "first,second=canary" })
        {
            var options = new ConfigurationOptions
            {
                EndPoints = { "127.0.0.1:1" },
                Password = password,
                AbortOnConnectFail = false,
                ConnectTimeout = 100,
                ConnectRetry = 0
            };
            await using var registered = await ConnectionMultiplexer.ConnectAsync(options);
            using var host = Build(bus => bus.UseRedis(), registered);

            var exception =
                await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

            Assert.Contains("comma", exception.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("second", exception.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ConnectionString_OfHostingTools_IsAcceptedAndAnInvalidOneIsNotShown()
    {
        await using var server = await StartLockedAsync();
        using (var host = Build(bus => bus.UseRedis($"{server.EndPoint},user=bus,password={Secret},ssl=false")
            .Subscribe<ParcelSent>("any", (_, _, _) => Task.CompletedTask)))
        {
            await host.StartAsync(TestContext.Current.CancellationToken);
            await host.Services.GetRequiredService<IEventBus>().PublishAsync(new ParcelSent(1), TestContext.Current.CancellationToken);
            await host.StopAsync(TestContext.Current.CancellationToken);
        }

        using var bad = Build(bus => bus.UseRedis($"{server.EndPoint},password=first,second-canary=1"));
        var exception =
            await Assert.ThrowsAsync<EventBusConfigurationException>(() => bad.StartAsync(TestContext.Current.CancellationToken));
        Assert.Contains("bus.UseRedis(...)", exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("second-canary", exception.ToString(), StringComparison.Ordinal);
    }

    private static async Task<PrivateRedis> StartLockedAsync()
    {
        var server = new PrivateRedis("--user", "default", "off", "--user", "bus", "on", $">{Secret}", "~*", "&*", "+@all");
        await server.StartAsync();
        return server;
    }

    private static EventBusBuilder Choose(EventBusBuilder bus, string call) => call switch
    {
        "UseRedis" => bus.UseRedis(options => options.KeyPrefix = "registered"),
        "UseRedisPubSub" => bus.UseRedisPubSub(options => options.KeyPrefix = "registered"),
        _ => bus.UseTransport("UseLoop()", _ => new LoopTransport()).StoreInRedis(options => options.KeyPrefix = "registered"),
    };

    private static IHost Build(Action<EventBusBuilder> configure, IConnectionMultiplexer? registered = null, ILoggerProvider? log = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log);
        if (registered is not null)
        {
            builder.Services.AddSingleton(registered);
        }

        if (log is not null)
        {
            builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Trace);
        }

        builder.Services.AddEventBus(bus => configure(bus.Configure(options => options.ServiceName = "app")));
        return builder.Build();
    }

    public sealed record ParcelSent(int Number);

    private sealed class SecretProvider : DefaultOptionsProvider
    {
        public override string? User => "bus";

        public override string? Password => Secret;
    }
}
