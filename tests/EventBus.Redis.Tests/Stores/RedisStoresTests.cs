using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisStoresTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task UseRedis_WithoutOtherStores_KeepsFailuresForTheNextProcess()
    {
        await using var redis = await TestRedis.OpenAsync();
        var failed = new TaskCompletionSource<DeadLetter>(TaskCreationOptions.RunContinuationsAsynchronously);
        using (var first = Build(redis.Prefix, (_, _, _) => throw new InvalidOperationException("Broken"), failed))
        {
            await first.StartAsync(Token);
            await first.Services.GetRequiredService<IEventBus>().PublishAsync(new ParcelSent(1), Token);
            await failed.Task.WaitAsync(TestRedis.Patience, Token);
            await first.StopAsync(Token);
        }

        var handled = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var second = Build(redis.Prefix, (parcel, _, _) =>
        {
            handled.TrySetResult(parcel.Number);
            return Task.CompletedTask;
        });
        await second.StartAsync(Token);
        var letters = second.Services.GetRequiredService<IDeadLetters>();
        var letter = Assert.Single(await letters.ListAsync(cancellationToken: Token));
        Assert.True(await letters.RetryAsync(letter.Id, Token));

        Assert.Equal(1, await handled.Task.WaitAsync(TestRedis.Patience, Token));
        await second.StopAsync(Token);
        Assert.Equal(0, await redis.Database.HashLengthAsync($"{{{redis.Prefix}:app}}:store:failed:state"));
    }

    [Fact]
    public async Task Connection_Shared_ClosesWithItsLastUser()
    {
        await using var redis = await TestRedis.OpenAsync();
        var connector = new RedisConnector(ConfigurationOptions.Parse(TestRedis.Address), "bus.UseRedis(...)", Canary.Log);

        var first = await connector.ShareAsync(failFast: true, Token);
        var second = await connector.ShareAsync(failFast: true, Token);
        await connector.ReleaseAsync();
        Assert.Same(first, second);
        await second.GetDatabase().PingAsync();
        await connector.ReleaseAsync();

        Assert.False(second.IsConnected);
        var third = await connector.ShareAsync(failFast: true, Token);
        await third.GetDatabase().PingAsync();
        await connector.ReleaseAsync();
    }

    private static IHost Build(
        string prefix,
        Func<ParcelSent, EventContext, CancellationToken, Task> handler,
        TaskCompletionSource<DeadLetter>? failed = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log);
        builder.Services.AddSingleton(new Listener(failed));
        builder.Services.AddEventBus(bus =>
        {
            bus.UseRedis(TestRedis.Address, redis => redis.KeyPrefix = prefix)
                .Configure(options => options.ServiceName = "app")
                .Retry(0, TimeSpan.Zero);
            bus.Subscribe("parcels", handler);
            bus.AddAlert<Listener>();
        });
        return builder.Build();
    }

    private sealed class Listener(TaskCompletionSource<DeadLetter>? failed) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            failed?.TrySetResult(alert.First);
            return Task.CompletedTask;
        }
    }
}
