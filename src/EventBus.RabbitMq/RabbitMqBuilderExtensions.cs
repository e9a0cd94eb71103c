using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus;

/// <summary>Chooses the RabbitMQ backend.</summary>
public static class RabbitMqBuilderExtensions
{
    /// <summary>Uses RabbitMQ 3.10 or later: one durable topic exchange, and one quorum queue for each subscription. RabbitMQ is no store: failed events need one, for instance <c>bus.StoreInMemory()</c>.</summary>
    /// <param name="bus">The bus.</param>
    /// <param name="connectionString">An AMQP URI: <c>amqp://user:password@host:5672/virtual-host</c>, or <c>amqps://</c> for TLS.</param>
    /// <param name="configure">Changes the settings; null for the defaults.</param>
    public static EventBusBuilder UseRabbitMq(this EventBusBuilder bus, string connectionString, Action<RabbitMqOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(bus);
        ArgumentNullException.ThrowIfNull(connectionString);
        return bus.UseTransport("UseRabbitMq(...)", services =>
        {
            var options = new RabbitMqOptions();
            configure?.Invoke(options);
            return Create(connectionString, options, services.GetService<ILoggerFactory>());
        });
    }

    internal static Transport Create(string connectionString, RabbitMqOptions options, ILoggerFactory? logs)
    {
        Check(options.MaxUnconfirmed, 1, 100_000, nameof(options.MaxUnconfirmed));
        Check(options.CallTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5), nameof(options.CallTimeout));
        Check(options.Heartbeat, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5), nameof(options.Heartbeat));

        // The text is not repeated in the message: it may hold a password.
        return Uri.TryCreate(connectionString, UriKind.Absolute, out var uri) && uri.Scheme is "amqp" or "amqps"
            ? new RabbitMqTransport(uri, options, logs?.CreateLogger("EventBus.RabbitMq") ?? NullLogger.Instance)
            : throw new ArgumentException("The RabbitMQ connection string is no AMQP URI. It looks like amqp://user:password@host:5672/virtual-host.", nameof(connectionString));
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
