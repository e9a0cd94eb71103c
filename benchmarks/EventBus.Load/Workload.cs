using Microsoft.Extensions.Hosting;

namespace EventBus.Load;

/// <summary>The event of every measurement: about 150 bytes as JSON, unless its order's id is made longer.</summary>
public sealed record OrderPlaced(Guid Id, string OrderId, string UserId, decimal Total, long Timestamp);

/// <summary>Events that are made in advance, so that making them is not measured.</summary>
internal sealed class Workload
{
    public const int BaseSize = 150;

    private readonly OrderPlaced[] events;

    public Workload(Arena arena)
    {
        var padding = new string('x', Math.Max(0, arena.Size - BaseSize));
        events = [.. Enumerable.Range(0, Math.Max(1024, arena.Keys)).Select(i => new OrderPlaced(
            Guid.CreateVersion7(),
            $"order-{i:D8}{padding}",
            $"user-{(arena.Keys > 0 ? i % arena.Keys : i):D8}",
            19.99m + i,
            i))];
    }

    /// <summary>Returns the events in turn, repeated as needed.</summary>
    public OrderPlaced this[int number] => events[number % events.Length];

    /// <summary>Makes an event that holds the time when it was due, in ticks of the stopwatch.</summary>
    public OrderPlaced At(int number, long timestamp) => this[number] with { Timestamp = timestamp };

    public OrderPlaced[] List(int count) => [.. Enumerable.Range(0, count).Select(i => this[i])];

    /// <summary>Makes a host without configuration files and logging.</summary>
    public static IHost Host(Action<HostApplicationBuilder> configure)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        configure(builder);
        return builder.Build();
    }

    public static async Task<IHost> StartAsync(Action<EventBusBuilder> configure)
    {
        var host = Host(builder => builder.Services.AddEventBus(configure));
        await host.StartAsync();
        return host;
    }
}
