using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Configures a bus to use the in-memory backend.</summary>
public static class InMemoryBuilderExtensions
{
    /// <summary>
    /// Uses bounded queues in this process as the transport, and stores in memory as the default stores. All data is
    /// lost when the process ends. Until then, no accepted event is lost.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseInMemory(this EventBusBuilder bus) =>
        Use(bus, Options(bus));

    /// <summary>Uses the in-memory backend with settings from code. See the overload without settings.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder UseInMemory(this EventBusBuilder bus, Action<InMemoryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Use(bus, Options(bus).Configure(configure));
    }

    /// <summary>
    /// Uses the in-memory backend with settings from configuration. See the overload without settings.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="section">
    /// The section of <see cref="InMemoryOptions"/>, for instance
    /// <c>configuration.GetSection("EventBus:InMemory")</c>. A key that is not a setting is an error when the bus
    /// starts.
    /// </param>
    public static EventBusBuilder UseInMemory(this EventBusBuilder bus, IConfiguration section) =>
        Use(bus, Options(bus).Bind(section, Bind));

    /// <summary>
    /// Keeps retries, dead letters, delayed events, handled events and sagas in the memory of this process, for a
    /// transport without a store of its own. They are lost when the process ends.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder StoreInMemory(this EventBusBuilder bus) =>
        Store(bus, Options(bus));

    /// <summary>Uses the in-memory stores with settings from code. See the overload without settings.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">
    /// Changes the settings, of which the stores use <see cref="InMemoryOptions.StoreCapacity"/> and
    /// <see cref="InMemoryOptions.RoundTrip"/>.
    /// </param>
    public static EventBusBuilder StoreInMemory(this EventBusBuilder bus, Action<InMemoryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Store(bus, Options(bus).Configure(configure));
    }

    /// <summary>
    /// Uses the in-memory stores with settings from configuration. See the overload without settings.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="section">
    /// The section of <see cref="InMemoryOptions"/>, for instance
    /// <c>configuration.GetSection("EventBus:InMemory")</c>. A key that is not a setting is an error when the bus
    /// starts.
    /// </param>
    public static EventBusBuilder StoreInMemory(this EventBusBuilder bus, IConfiguration section) =>
        Store(bus, Options(bus).Bind(section, Bind));

    internal static BusStores Stores(InMemoryOptions options, IServiceProvider? services = null)
    {
        var log = BackendLog.Create(services?.GetService<ILoggerFactory>(), "EventBus.InMemory", services?.GetService<TimeProvider>());
        return new InMemoryStores(options.StoreCapacity, log, options.RoundTrip);
    }

    private static EventBusBuilder Use(EventBusBuilder bus, BackendConfiguration<InMemoryOptions> options) => bus
        .UseTransport("UseInMemory()", services => new InMemoryTransport(options.Get(services)))
        .UseDefaultStores(services => Stores(options.Get(services), services));

    private static EventBusBuilder Store(EventBusBuilder bus, BackendConfiguration<InMemoryOptions> options) =>
        bus.UseStores(services => Stores(options.Get(services), services));

    private static BackendConfiguration<InMemoryOptions> Options(EventBusBuilder bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return new BackendConfiguration<InMemoryOptions>(bus.Services, bus.Key, new InMemoryOptionsValidator());
    }

    private static void Bind(IConfiguration section, InMemoryOptions options) => section.Bind(options);
}
