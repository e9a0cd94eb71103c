using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Benchmarks;

/// <summary>What the benchmarks share: events made beforehand, so that making them is not measured, and a running bus.</summary>
internal static class Workload
{
    /// <summary>How many different events there are.</summary>
    public const int Events = 1_024;

    private const long FirstTimestamp = 1_700_000_000_000;

    private static readonly OrderPlaced[] Made =
        [.. Enumerable.Range(0, Events).Select(i => new OrderPlaced(Guid.CreateVersion7(), $"order-{i:D12}", $"user-{i:D12}", 19.99m + i, FirstTimestamp + i))];

    /// <summary>One of them, in turn.</summary>
    /// <param name="number">Any number from 0 on.</param>
    public static OrderPlaced Event(int number) => Made[number % Events];

    /// <summary>Starts a bus in a host of its own.</summary>
    /// <param name="configure">The bus.</param>
    /// <param name="services">More services; null for none.</param>
    public static async Task<IHost> StartAsync(Action<EventBusBuilder> configure, Action<IServiceCollection>? services = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        services?.Invoke(builder.Services);
        builder.Services.AddEventBus(configure);
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    /// <summary>Stops a bus, and forgets all that it kept.</summary>
    /// <param name="host">Its host; null for none.</param>
    public static async Task StopAsync(IHost? host)
    {
        if (host is not null)
        {
            await host.StopAsync();
            host.Dispose();
        }
    }
}
