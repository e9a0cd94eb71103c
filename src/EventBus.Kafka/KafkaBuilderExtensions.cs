using Confluent.Kafka;
using EventBus.Transports;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Adds the Kafka backend to an event bus.</summary>
public static class KafkaBuilderExtensions
{
    /// <summary>
    /// Uses Kafka 2.4 or later, with one topic for each first word of the event names and one consumer group for each
    /// subscription.
    /// </summary>
    /// <remarks>
    /// Kafka keeps no retries and no dead letters: a bus with subscriptions does not start without a store, such as
    /// <c>bus.StoreInRedis(...)</c> or <c>bus.StoreInSqlite(...)</c>. All instances of a service need one store that
    /// they share.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="connectionString">
    /// The addresses of some brokers: <c>localhost:9092</c>, or <c>host1:9092,host2:9092</c>.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseKafka(
        this EventBusBuilder bus,
        string connectionString,
        Action<KafkaOptions>? configure = null) =>
        Use(bus, Options(bus).Configure(options => options.ConnectionString = connectionString ?? "").Configure(configure));

    /// <summary>
    /// Uses Kafka with settings from configuration. Without <see cref="KafkaOptions.ConnectionString"/>, the
    /// <see cref="ClientConfig"/> that the application registers is used. See the other overloads.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="section">
    /// The section of <see cref="KafkaOptions"/>, for instance <c>configuration.GetSection("EventBus:Kafka")</c>. A key
    /// that is not a setting is an error when the bus starts.
    /// </param>
    public static EventBusBuilder UseKafka(this EventBusBuilder bus, IConfiguration section) =>
        Use(bus, Options(bus).Bind(section, static (from, options) => from.Bind(options)));

    /// <summary>
    /// Uses Kafka with the <see cref="ClientConfig"/> that the application registers, and with the default settings.
    /// See the overload with settings.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseKafka(this EventBusBuilder bus) => Use(bus, Options(bus));

    /// <summary>
    /// Uses Kafka with the <see cref="ClientConfig"/> that the application registers as a service. The bus copies it
    /// for each of its clients. For other details see the overload with a connection string.
    /// </summary>
    /// <param name="bus">The bus.</param>
    /// <param name="configure">Changes the settings.</param>
    public static EventBusBuilder UseKafka(this EventBusBuilder bus, Action<KafkaOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        return Use(bus, Options(bus).Configure(configure));
    }

    private static EventBusBuilder Use(EventBusBuilder bus, BackendConfiguration<KafkaOptions> options) =>
        bus.UseTransport("UseKafka(...)", services => new KafkaTransport(Connect(options.Get(services), services)));

    private static KafkaConnector Connect(KafkaOptions options, IServiceProvider services)
    {
        KafkaTopicNames.Check(options);
        var connector = new KafkaConnector(
            options,
            services.GetService<ClientConfig>(),
            services.GetService<ILoggerFactory>(),
            services.GetService<TimeProvider>());
        return connector.Address.Length > 0
            ? connector
            : throw new InvalidOperationException(
                "bus.UseKafka() was called without a connection string, and the application registers no ClientConfig with "
                    + "BootstrapServers. Register one, or pass a connection string: host1:9092,host2:9092.");
    }

    private static BackendConfiguration<KafkaOptions> Options(EventBusBuilder bus)
    {
        ArgumentNullException.ThrowIfNull(bus);
        return new BackendConfiguration<KafkaOptions>(bus.Services, bus.Key, new KafkaOptionsValidator());
    }
}
