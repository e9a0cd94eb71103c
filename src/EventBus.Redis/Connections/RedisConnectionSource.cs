using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Where Redis is: a connection string, or the multiplexer that the application registers. No text of this ever repeats either.</summary>
internal static class RedisConnectionSource
{
    /// <summary>Takes a connection string, or, where there is none, what the application registers.</summary>
    /// <param name="configuration">The connection string; null for none.</param>
    /// <param name="call">The call without arguments, for errors: <c>bus.UseRedis</c>.</param>
    /// <param name="services">The application's services.</param>
    public static RedisConnector Locate(string? configuration, string call, IServiceProvider services)
    {
        var log = RedisBuilderExtensions.LogOf(services);
        if (configuration is not null)
        {
            return new RedisConnector(Checked(Parse(configuration, call), call), $"{call}(...)", log);
        }

        var registered = services.GetService<IConnectionMultiplexer>()
            ?? throw new InvalidOperationException($"{call}() was called without a connection string, and the application registers no IConnectionMultiplexer. Register one, or give a connection string: localhost:6379,password=...");
        return new RedisConnector(Checked(OptionsOf(registered, call), call), $"{call}()", log) { Lent = registered };
    }

    /// <summary>Behind sentinels the client does not know the host whose certificate it verifies.</summary>
    private static ConfigurationOptions Checked(ConfigurationOptions options, string call)
    {
        // The client makes one up of the end points.
        var own = options.Clone();
        own.EndPoints.Clear();
        return options.ServiceName is null || !options.Ssl || own.SslHost is { Length: > 0 }
            ? options
            : throw new ArgumentException($"{call} was given sentinels (serviceName=) and ssl=true without sslHost=. Add sslHost= with a name that the certificates of all servers and sentinels hold.");
    }

    private static ConfigurationOptions Parse(string configuration, string call)
    {
        try
        {
            return ConfigurationOptions.Parse(configuration);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            // What was thrown names the part that it did not understand, which may be a part of the password.
            throw new ArgumentException($"The connection string given to {call}(...) is none of Redis. It looks like localhost:6379,user=...,password=...,ssl=true; a password cannot hold a comma.");
        }
    }

    /// <summary>The settings of a multiplexer as far as they are text: credentials and TLS are, what was given to it as code is not.</summary>
    private static ConfigurationOptions OptionsOf(IConnectionMultiplexer registered, string call)
    {
        ConfigurationOptions? options = null;
        try
        {
            options = ConfigurationOptions.Parse(registered.Configuration);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            // As above.
        }

        // A comma in a password makes an end point of what follows it. With sentinels the text names these, and the multiplexer the servers behind them.
        return options is not null && (options.ServiceName is not null || options.EndPoints.Count == registered.GetEndPoints(configuredOnly: true).Length)
            ? options
            : throw new InvalidOperationException($"{call}() cannot make connections beside the registered IConnectionMultiplexer: its configuration does not survive being written as text, for instance because of a comma in the password. Change that.");
    }
}
