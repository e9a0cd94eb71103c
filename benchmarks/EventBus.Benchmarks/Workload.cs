using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Benchmarks;

/// <summary>Provides events that are made in advance, so that making them is not measured, and a running bus.</summary>
internal static class Workload
{
    /// <summary>The number of different events.</summary>
    public const int Events = 1_024;

    private const long FirstTimestamp = 1_700_000_000_000;

    private static readonly OrderPlaced[] Made =
        [.. Enumerable.Range(0, Events)
            .Select(i => new OrderPlaced(Guid.CreateVersion7(), $"order-{i:D12}", $"user-{i:D12}", 19.99m + i, FirstTimestamp + i))];

    /// <summary>Returns one of the events, in turn.</summary>
    /// <param name="number">A number of 0 or more.</param>
    public static OrderPlaced Event(int number) => Made[number % Events];

    /// <summary>Starts a bus in its own host.</summary>
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

    /// <summary>Stops a bus and discards its stores.</summary>
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
