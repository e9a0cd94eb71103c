using EventBus.Transports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Adds the RabbitMQ backend to an event bus.</summary>
public static class RabbitMqBuilderExtensions
{
    /// <summary>
    /// Uses RabbitMQ 3.10 or later, with one durable topic exchange and one queue per subscription (by default a quorum
    /// queue).
    /// </summary>
    /// <remarks>
    /// Without a store, retries wait in queues with fixed delays. Events that fail permanently go to the queue
    /// <c>{service}.dead-letters</c>, which can be counted, listed and retried as a whole. RabbitMQ cannot find
    /// messages by key. Idempotent, ordered or guarded subscriptions and delayed events need a store in addition:
    /// <c>bus.StoreInSqlite(...)</c> or <c>bus.StoreInRedis(...)</c>.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="connectionString">
    /// An AMQP URI: <c>amqp://user:password@host:5672/virtual-host</c>, or <c>amqps://</c> for TLS. Commas separate the
    /// nodes of a cluster: <c>amqp://user:password@node1:5672,node2:5672</c>.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRabbitMq(
        this EventBusBuilder bus,
        string connectionString,
        Action<RabbitMqOptions>? configure = null) =>
        Use(bus, Options(bus).Configure(options => options.ConnectionString = connectionString ?? "").Configure(configure));

    /// <summary>
    /// Uses RabbitMQ with settings from configuration. Without <see cref="RabbitMqOptions.ConnectionString"/>, the
    /// connection factory or connection that the application registers is used. See the other overloads.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="section">
    /// The section of <see cref="RabbitMqOptions"/>, for instance
    /// <c>configuration.GetSection("EventBus:RabbitMq")</c>. A key that is not a setting is an error when the bus
    /// starts.
    /// </param>
    public static EventBusBuilder UseRabbitMq(this EventBusBuilder bus, IConfiguration section) =>
        Use(bus, Options(bus).Bind(section, Bind));

    /// <summary>
    /// Uses RabbitMQ with the connection factory or connection that the application registers, and with the default
    /// settings. See the overload with settings.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseRabbitMq(this EventBusBuilder bus) =>
        Use(bus, Options(bus));

    /// <summary>
    /// Uses RabbitMQ with a service that the application registers: an <see cref="IConnectionFactory"/>, from which the
    /// bus creates its own connections; otherwise an <see cref="IConnection"/>, which the bus shares.
    /// </summary>
    /// <remarks>
    /// A shared connection must recover automatically (<see cref="ConnectionFactory.AutomaticRecoveryEnabled"/>, its
    /// default); the bus cannot replace one that hangs. For other details see the overload with a connection string.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder UseRabbitMq(this EventBusBuilder bus, Action<RabbitMqOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Use(bus, Options(bus).Configure(configure));
    }

    internal static RabbitMqConnector Connect(string connectionString, RabbitMqOptions options, ILoggerFactory? logs) =>
        new(RabbitMqConnectionSource.Of(connectionString, options), options, CreateLog(logs, null));

    private static RabbitMqConnectionSource CreateSource(RabbitMqOptions options, IServiceProvider services)
    {
        if (options.ConnectionString is { } connectionString)
        {
            return RabbitMqConnectionSource.Of(connectionString, options);
        }

        if (services.GetService<IConnectionFactory>() is { } factory)
        {
            return RabbitMqConnectionSource.Of(factory);
        }

        if (services.GetService<IConnection>() is { } connection)
        {
            return RabbitMqConnectionSource.Of(connection);
        }

        throw new InvalidOperationException(
            "bus.UseRabbitMq() was called without a connection string, and the application registers neither an IConnectionFactory nor "
                + "an IConnection. Register one of them, or pass a connection string: amqp://user:password@host:5672/virtual-host.");
    }

    private static EventBusBuilder Use(EventBusBuilder bus, BackendConfiguration<RabbitMqOptions> options)
    {
        // The transport and the stores share one connector per container. Each bus has its own key, and so its own
        // connector.
        var key = new object();
        bus.Services.AddKeyedSingleton(key, (services, _) =>
        {
            var settings = options.Get(services);
            return new RabbitMqConnector(
                CreateSource(settings, services),
                settings,
                CreateLog(services.GetService<ILoggerFactory>(), services.GetService<TimeProvider>()));
        });
        return bus
            .UseTransport("UseRabbitMq(...)", services => new RabbitMqTransport(services.GetRequiredKeyedService<RabbitMqConnector>(key)))
            .UseDefaultStores(services => new RabbitMqStores(services.GetRequiredKeyedService<RabbitMqConnector>(key)));
    }

    private static ILogger CreateLog(ILoggerFactory? logs, TimeProvider? time) => BackendLog.Create(logs, "EventBus.RabbitMq", time);

    private static BackendConfiguration<RabbitMqOptions> Options(EventBusBuilder bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return new BackendConfiguration<RabbitMqOptions>(bus.Services, bus.Key, new RabbitMqOptionsValidator());
    }

    private static void Bind(IConfiguration section, RabbitMqOptions options)
    {
        if (section.GetSection(nameof(options.RetrySteps)).GetChildren().Any())
        {
            // The binder appends to a list. If the section has delays, they replace the delays that were set in code.
            options.RetrySteps = null;
        }

        section.Bind(options);
    }
}
