using System.Collections.Concurrent;
using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Redis.Tests;

public sealed class RedisPubSubBuilderTests
{
    [Fact]
    public async Task Idempotent_OnTwoInstances_HandlesEachEventOnce()
    {
        var prefix = $"t{Guid.NewGuid():N}";
        var (once, each) = (new ConcurrentBag<int>(), new ConcurrentBag<int>());
        using var all = new CountdownEvent(60);
        using var first = Build(Configure);
        using var second = Build(Configure);
        await first.StartAsync(TestContext.Current.CancellationToken);
        await second.StartAsync(TestContext.Current.CancellationToken);

        var bus = first.Services.GetRequiredService<IEventBus>();
        for (var number = 0; number < 20; number++)
        {
            await bus.PublishAsync(new ParcelSent(number), TestContext.Current.CancellationToken);
        }

        Assert.True(all.Wait(TestRedis.Patience, TestContext.Current.CancellationToken), $"{all.CurrentCount} of 60 were not handled.");
        await first.StopAsync(TestContext.Current.CancellationToken);
        await second.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Enumerable.Range(0, 20), once.Order());
        Assert.Equal(Enumerable.Range(0, 20).SelectMany(number => new[] { number, number }), each.Order());

        void Configure(EventBusBuilder bus) => bus.UseRedisPubSub(TestRedis.Address, options => options.KeyPrefix = prefix)
            .Subscribe("once", s => s.On<ParcelSent>((e, _, _) => Note(once, e.Number)).Idempotent())
            .Subscribe<ParcelSent>("each", (e, _, _) => Note(each, e.Number));

        Task Note(ConcurrentBag<int> seen, int number)
        {
            seen.Add(number);
            all.Signal();
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task Handler_FailsAtFirst_IsRetriedFromTheStore()
    {
        var prefix = $"t{Guid.NewGuid():N}";
        var done = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var host =
            Build(bus => bus.UseRedisPubSub(TestRedis.Address, options => options.KeyPrefix = prefix).Retry(TimeSpan.FromMilliseconds(10))
                .Subscribe<ParcelSent>("flaky", (_, context, _) =>
                {
                    if (context.Attempt == 1)
                    {
                        throw new InvalidOperationException("The handler fails on purpose.");
                    }

                    done.SetResult(context.Attempt);
                    return Task.CompletedTask;
                }));
        await host.StartAsync(TestContext.Current.CancellationToken);

        await host.Services.GetRequiredService<IEventBus>().PublishAsync(new ParcelSent(1), TestContext.Current.CancellationToken);

        Assert.Equal(2, await done.Task.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken));
        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Start_FeaturesThatALossyBackendLacks_AreRefused()
    {
        using var host = Build(bus =>
        {
            bus.UseRedisPubSub(TestRedis.Address).Subscribe("ordered", s => s.On<ParcelSent>((_, _, _) => Task.CompletedTask).Ordered());
            bus.Event<ParcelSent>().RequireSubscriber();
        });

        var exception =
            await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(TestContext.Current.CancellationToken));

        Assert.Contains("'ordered' is ordered", exception.Message, StringComparison.Ordinal);
        Assert.Contains("RequireSubscriber()", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_InvalidOptions_AreNamed()
    {
        await AssertRefusedAsync(options => options.KeyPrefix = "a*", "RedisPubSubOptions.KeyPrefix is 'a*'");
        await AssertRefusedAsync(options => options.BufferCount = 0, "RedisPubSubOptions.BufferCount is 0");
        await AssertRefusedAsync(options => options.BufferBytes = 1, "RedisPubSubOptions.BufferBytes is 1");

        static async Task AssertRefusedAsync(Action<RedisPubSubOptions> configure, string text)
        {
            using var host = Build(bus => bus.UseRedisPubSub(TestRedis.Address, configure));
            var exception = await Assert.ThrowsAnyAsync<Exception>(() => host.StartAsync(TestContext.Current.CancellationToken));
            Assert.Contains(text, exception.Message, StringComparison.Ordinal);
        }
    }

    private static IHost Build(Action<EventBusBuilder> configure)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log);
        builder.Services.AddEventBus(bus => configure(bus.Configure(options => options.ServiceName = "app")));
        return builder.Build();
    }

    public sealed record ParcelSent(int Number);
}
