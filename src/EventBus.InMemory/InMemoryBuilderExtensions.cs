using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Configures a bus to use the in-memory backend.</summary>
public static class InMemoryBuilderExtensions
{
    /// <summary>
    /// Uses bounded queues in this process as the transport, and stores in memory as the default stores. All data is
    /// lost when the process ends. Until then, the guarantees are those of the strictest broker.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseInMemory(this EventBusBuilder bus, Action<InMemoryOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.UseTransport("UseInMemory()", _ => new InMemoryTransport(Options(configure))).UseDefaultStores(services => Stores(Options(configure), services));
    }

    /// <summary>
    /// Keeps retries, dead letters, delayed events, handled events and sagas in the memory of this process, for a
    /// transport without a store of its own. They are lost when the process ends.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder StoreInMemory(this EventBusBuilder bus, Action<InMemoryOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return bus.UseStores(services => Stores(Options(configure), services));
    }

    internal static BusStores Stores(InMemoryOptions options, IServiceProvider? services = null)
    {
        var log = BackendLog.Create(services?.GetService<ILoggerFactory>(), "EventBus.InMemory", services?.GetService<TimeProvider>());
        return new InMemoryStores(options.StoreCapacity, log);
    }

    private static InMemoryOptions Options(Action<InMemoryOptions>? configure)
    {
        var options = new InMemoryOptions();
        configure?.Invoke(options);
        Check(options.Capacity, 1, nameof(options.Capacity));
        Check(options.HandlerReserve, 0, nameof(options.HandlerReserve));
        Check(options.StoreCapacity, 1, nameof(options.StoreCapacity));
        return options;
    }

    private static void Check(int value, int min, string name)
    {
        const int Max = 10_000_000;
        if (value < min || value > Max)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{nameof(InMemoryOptions)}.{name} is {value}; {min} to {Max:N0} are allowed.");
        }
    }
}
