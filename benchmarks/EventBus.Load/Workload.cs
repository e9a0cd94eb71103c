using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Load;

/// <summary>The event of every benchmark: about 150 bytes as JSON.</summary>
public sealed record OrderPlaced(Guid Id, string OrderId, string UserId, decimal Total, long Timestamp);

/// <summary>What the benchmarks share: events made beforehand, so that making them is not measured, and a running bus.</summary>
internal static class Workload
{
    public const int ChannelCapacity = 1024;

    public static OrderPlaced[] Events { get; } = [.. Enumerable.Range(0, 1024).Select(i => new OrderPlaced(Guid.CreateVersion7(), $"order-{i:D8}", $"user-{i:D8}", 19.99m + i, i))];

    public static async Task<IHost> StartAsync(Action<EventBusBuilder> configure, params object[] singletons)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        foreach (var singleton in singletons)
        {
            builder.Services.AddSingleton(singleton.GetType(), singleton);
        }

        builder.Services.AddEventBus(configure);
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }
}

/// <summary>Counts what arrives and tells when all of it has. The raw channel's readers use the same one.</summary>
internal sealed class Countdown(long target)
{
    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long count;

    public Task Done => done.Task;

    public void Count()
    {
        if (Interlocked.Increment(ref count) == target)
        {
            done.SetResult();
        }
    }
}
