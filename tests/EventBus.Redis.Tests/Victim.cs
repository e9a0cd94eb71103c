using EventBus.Conformance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Redis.Tests;

/// <summary>
/// An application that prints which events it took, and completes their handlers or never does, until it is killed.
/// </summary>
internal static class Victim
{
    public const string Service = "depot";
    public const string Subscription = "slow";

    public static IHost Build(string prefix, Func<ParcelSent, EventContext, CancellationToken, Task> handler)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(Canary.Log);
        builder.Services.AddEventBus(bus => bus
            .UseRedis(TestRedis.Address, redis => (redis.KeyPrefix, redis.ClaimAfter) = (prefix, TimeSpan.FromSeconds(1)))
            .Configure(options => options.ServiceName = Service)
            .Subscribe(Subscription, handler));
        return builder.Build();
    }

    public static async Task<int> RunAsync(string prefix, bool finishes)
    {
        using var host = Build(prefix, (_, context, ct) =>
        {
            Console.WriteLine($"took {context.EventId}");
            return finishes ? Task.CompletedTask : Task.Delay(Timeout.InfiniteTimeSpan, ct);
        });
        await host.StartAsync();
        Console.WriteLine("ready");

        // The parent holds the other end of the pipe: if it ends, so does this process.
        await Console.In.ReadToEndAsync();
        return 1;
    }
}
