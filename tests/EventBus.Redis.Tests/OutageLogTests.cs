using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that while Redis is unreachable an instance logs the first failure of each kind, then one line a minute, and
/// one line at the end.
/// </summary>
public sealed class OutageLogTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_UnreachableForAWhile_IsLoggedRarely()
    {
        await using var redis = new PrivateRedis();
        await redis.StartAsync();
        using var log = new LogList();
        var handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var host = Build(redis, log, handled);
        await host.StartAsync(Token);
        var bus = host.Services.GetRequiredService<IEventBus>();

        // Gives each loop some work: due retries, delayed events, marks and leases.
        await bus.PublishAsync(new ParcelSent(0), Token);
        await bus.PublishAsync(new ParcelSent(0), new PublishOptions { NotBefore = DateTimeOffset.UtcNow.AddSeconds(2) }, Token);
        await redis.KillAsync();
        for (var tried = 0; tried < 6; tried++)
        {
            // Each publish has its own full deadline.
            await Assert.ThrowsAsync<PublishException>(() => bus.PublishAsync(new ParcelSent(0), Token));
        }

        var during = log.Texts.Count;
        await redis.StartAsync();
        await PublishAsync(bus, new ParcelSent(1));
        await handled.Task.WaitAsync(TestRedis.Patience, Token);

        Assert.True(during <= 25, $"{during} entries in an outage of 12 s: {string.Join('\n', log.Texts)}");
        await Until.TrueAsync(
            () => $"the end of the outage is logged: {string.Join('\n', log.Texts)}",
            TestRedis.Patience,
            () => Task.FromResult(log.Texts.Any(text => text.Contains("Recovered after", StringComparison.Ordinal))),
            Token);
        await host.StopAsync(Token);
    }

    private static async Task PublishAsync(IEventBus bus, ParcelSent parcel)
    {
        using var patience = new CancellationTokenSource(TestRedis.Patience, TimeProvider.System);
        while (true)
        {
            try
            {
                await bus.PublishAsync(parcel, Token);
                return;
            }
            catch (PublishException)
            {
                Assert.False(patience.IsCancellationRequested, "The bus did not reconnect to Redis.");
            }
        }
    }

    private static IHost Build(PrivateRedis redis, LogList log, TaskCompletionSource handled)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Warning).AddFilter("EventBus", LogLevel.Information);
        builder.Services.AddEventBus(bus =>
        {
            bus.UseRedis(redis.Address)
                .Retry(50, TimeSpan.FromSeconds(1))
                .Configure(options => (options.ServiceName, options.PublishTimeout) = ("app", TimeSpan.FromSeconds(2)));
            foreach (var name in new[] { "one", "two", "three" })
            {
                bus.Subscribe(name, s => s.Idempotent().On<ParcelSent>((parcel, _, _) => Handle(parcel)));
            }

            bus.Subscribe("ordered", s => s.Ordered().On<ParcelSent>((parcel, _, _) => Handle(parcel)));
        });
        return builder.Build();

        Task Handle(ParcelSent parcel)
        {
            if (parcel.Number == 0)
            {
                throw new InvalidOperationException("Again later.");
            }

            handled.TrySetResult();
            return Task.CompletedTask;
        }
    }
}
