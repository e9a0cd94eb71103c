using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Adds the RabbitMQ backend to an event bus.</summary>
public static class RabbitMqBuilderExtensions
{
    private static readonly TimeSpan ShortestStep = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestStep = TimeSpan.FromDays(1);

    /// <summary>
    /// Uses RabbitMQ 3.10 or later, with one durable topic exchange and one queue per subscription (by default a quorum
    /// queue).
    /// </summary>
    /// <remarks>
    /// Without a store, retries wait in queues with fixed delays. Events that fail permanently go to the queue
    /// <c>{service}.dead-letters</c>, which can be counted, listed and retried as a whole.
    /// RabbitMQ cannot find messages by key. Idempotent, ordered or guarded subscriptions and delayed events need a
    /// store in addition: <c>bus.StoreInSqlite(...)</c> or <c>bus.StoreInRedis(...)</c>.
    /// </remarks>
    /// <param name="bus">The bus.</param>
    /// <param name="connectionString">
    /// An AMQP URI: <c>amqp://user:password@host:5672/virtual-host</c>, or <c>amqps://</c> for TLS. Commas separate the
    /// nodes of a cluster: <c>amqp://user:password@node1:5672,node2:5672</c>.
    /// </param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRabbitMq(this EventBusBuilder bus, string connectionString, Action<RabbitMqOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(connectionString);
        return Use(bus, configure, (options, _) => RabbitMqConnectionSource.Of(connectionString, options));
    }

    /// <summary>
    /// Uses RabbitMQ with the connection factory or connection that the application registers, and with the default
    /// settings. See the overload with settings.
    /// </summary>
    /// <param name="bus">The bus.</param>
    public static EventBusBuilder UseRabbitMq(this EventBusBuilder bus) => Use(bus, null, static (_, services) => Registered(services));

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
        return Use(bus, configure, static (_, services) => Registered(services));
    }

    internal static RabbitMqConnector Connect(string connectionString, RabbitMqOptions options, ILoggerFactory? logs) =>
        new(RabbitMqConnectionSource.Of(connectionString, options), Check(options), LogOf(logs, null));

    private static RabbitMqConnectionSource Registered(IServiceProvider services) =>
        services.GetService<IConnectionFactory>() is { } factory ? RabbitMqConnectionSource.Of(factory)
        : services.GetService<IConnection>() is { } connection ? RabbitMqConnectionSource.Of(connection)
        : throw new InvalidOperationException("bus.UseRabbitMq() was called without a connection string, and the application registers neither an IConnectionFactory nor an IConnection. Register one of them, or give a connection string: amqp://user:password@host:5672/virtual-host.");

    private static EventBusBuilder Use(EventBusBuilder bus, Action<RabbitMqOptions>? configure, Func<RabbitMqOptions, IServiceProvider, RabbitMqConnectionSource> locate)
    {
        ArgumentNullException.ThrowIfNull(bus);

        // The transport and the stores share one connector per container. Each bus has its own key, and so its own
        // connector.
        var key = new object();
        bus.Services.AddKeyedSingleton(key, (services, _) =>
        {
            var options = new RabbitMqOptions();
            configure?.Invoke(options);
            return new RabbitMqConnector(locate(Check(options), services), options, LogOf(services.GetService<ILoggerFactory>(), services.GetService<TimeProvider>()));
        });
        return bus
            .UseTransport("UseRabbitMq(...)", services => new RabbitMqTransport(services.GetRequiredKeyedService<RabbitMqConnector>(key)))
            .UseDefaultStores(services => new RabbitMqStores(services.GetRequiredKeyedService<RabbitMqConnector>(key)));
    }

    private static ILogger LogOf(ILoggerFactory? logs, TimeProvider? time) => BackendLog.Create(logs, "EventBus.RabbitMq", time);

    private static RabbitMqOptions Check(RabbitMqOptions options)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(options.Exchange, $"{nameof(RabbitMqOptions)}.{nameof(options.Exchange)}");
        Check(options.DeliveryLimit, 1, 1_000_000, nameof(options.DeliveryLimit));
        Check(options.MaxUnconfirmed, 1, 100_000, nameof(options.MaxUnconfirmed));
        Check(options.CallTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5), nameof(options.CallTimeout));
        Check(options.SilenceTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5), nameof(options.SilenceTimeout));
        Check(options.Heartbeat, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5), nameof(options.Heartbeat));
        Check(options.RetrySteps.Count, 1, 16, $"{nameof(options.RetrySteps)}.Count");
        foreach (var step in options.RetrySteps)
        {
            Check(step, ShortestStep, LongestStep, nameof(options.RetrySteps));
        }

        return options;
    }

    private static void Check<T>(T value, T min, T max, string name)
        where T : IComparable<T>
    {
        if (value.CompareTo(min) < 0 || value.CompareTo(max) > 0)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{nameof(RabbitMqOptions)}.{name} is {value}; {min} to {max} are allowed.");
        }
    }
}
