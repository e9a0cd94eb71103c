using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Creates a connector from a connection string or from the multiplexer that the application registers. No error text
/// contains the configuration.
/// </summary>
internal static class RedisConnectionSource
{
    /// <summary>
    /// Uses the connection string or, if there is none, the multiplexer that the application registers.
    /// </summary>
    /// <param name="configuration">The connection string; null for none.</param>
    /// <param name="call">The call without arguments, for errors: <c>bus.UseRedis</c>.</param>
    /// <param name="services">The application's services.</param>
    public static RedisConnector Locate(string? configuration, string call, IServiceProvider services)
    {
        var log = Log.Create(services);
        if (configuration is not null)
        {
            var (parsed, address) = RedisConnectionString.Parse(configuration, call);
            RequireSslHost(parsed, call);
            return new RedisConnector(parsed, address.Call, log) { Address = address };
        }

        var registered = services.GetService<IConnectionMultiplexer>()
            ?? throw new InvalidOperationException(
                $"{call}() was called without a connection string, and the application registers no IConnectionMultiplexer. Register "
                    + "one, or pass a connection string: localhost:6379,password=..., or redis://user:password@host:6379/0.");
        var options = OptionsOf(registered, call);
        RequireSslHost(options, call);
        return new RedisConnector(options, $"{call}()", log) { ApplicationConnection = registered };
    }

    /// <summary>
    /// Requires an SSL host for TLS with sentinels: they name addresses, and the client cannot verify a certificate
    /// without a host name.
    /// </summary>
    private static void RequireSslHost(ConfigurationOptions options, string call)
    {
        // SslHost defaults to the host of the endpoints. In a copy without endpoints it is only the configured value.
        var own = options.Clone();
        own.EndPoints.Clear();
        var needsHost = options.ServiceName is not null && options.Ssl;
        if (needsHost && string.IsNullOrEmpty(own.SslHost))
        {
            throw new ArgumentException($"{call} was given sentinels (serviceName=) and ssl=true without sslHost=. Add sslHost= with a "
                + "name that the certificates of all servers and sentinels contain.");
        }
    }

    /// <summary>
    /// Reads the settings of a multiplexer from its configuration text. The text includes credentials and TLS, but not
    /// what was set in code.
    /// </summary>
    private static ConfigurationOptions OptionsOf(IConnectionMultiplexer registered, string call)
    {
        ConfigurationOptions? options = null;
        try
        {
            options = ConfigurationOptions.Parse(registered.Configuration);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            // The exception is not reported, because it may quote a part of the password.
        }

        // A comma in a password turns the text after it into an endpoint, so the numbers of endpoints are compared.
        // That is not possible with sentinels: the text names the sentinels, and the multiplexer the servers behind
        // them.
        var isComplete = options is not null
            && (options.ServiceName is not null || options.EndPoints.Count == registered.GetEndPoints(configuredOnly: true).Length);
        if (!isComplete)
        {
            throw new InvalidOperationException(
                $"{call}() cannot open connections in addition to the registered IConnectionMultiplexer, because its configuration cannot "
                    + "be written as text: for instance, its password contains a comma. Change the configuration.");
        }

        return options!;
    }
}
