using System.Net;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Opens connections with the settings that the bus needs, each with its watchdog.</summary>
internal static class RedisConnectionOpener
{
    /// <summary>
    /// The time without activity after which the watchdog closes a connection. A connection for blocking reads gets
    /// <see cref="RedisConnector.BlockTime"/> in addition.
    /// </summary>
    public static readonly TimeSpan MaxSilence = TimeSpan.FromSeconds(3);

    // The client's own timeout. It measures complete answers and not bytes, so it is so long that it never applies
    // before the watchdog.
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromHours(1);
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan RoleTimeout = TimeSpan.FromSeconds(1);

    // A placeholder: with sentinels, RedisConnectionActivity replaces the endpoint by the one that they name.
    private const int PlaceholderPort = 6379;

    /// <summary>Opens a connection. Without a server it is returned nevertheless, and continues to connect.</summary>
    /// <param name="configuration">The application's configuration.</param>
    /// <param name="sentinels">The sentinels that name the primary; null for none.</param>
    /// <param name="maxSilence">The time without activity after which the watchdog closes the connection.</param>
    public static async Task<ConnectionMultiplexer> OpenAsync(
        ConfigurationOptions configuration, RedisSentinels? sentinels, TimeSpan maxSilence)
    {
        var own = configuration.Clone();
        var activity = new RedisConnectionActivity(own.Tunnel, sentinels);
        own.Tunnel = activity;
        if (sentinels is not null)
        {
            // A single endpoint, which the tunnel replaces by the primary when it connects.
            own.EndPoints.Clear();
            own.EndPoints.Add(new DnsEndPoint(own.ServiceName!, PlaceholderPort));
            own.ServiceName = null;
            own.ResolveDns = false;
        }

        own.AsyncTimeout = (int)ClientTimeout.TotalMilliseconds;

        // For INFO, which the client treats as an admin command. See RedisServerCheck.
        own.AllowAdmin = true;

        // The client reconnects by itself. A command that cannot be sent now fails at once; otherwise it would be sent
        // later and out of order.
        own.AbortOnConnectFail = false;
        own.BacklogPolicy = BacklogPolicy.FailFast;
        own.ReconnectRetryPolicy = new ExponentialRetry(100, 2_000);

        // The client notices only in these intervals that a connection attempt has hung and that the next one is due.
        // With its default of 1 s, both together would add up to 2 s to a recovery.
        own.HeartbeatInterval = HeartbeatInterval;
        var connection = await ConnectionMultiplexer.ConnectAsync(own);

        // The client reads this value again at each later query of the roles. It limits the wait for one server.
        own.ConnectTimeout = Math.Min(own.ConnectTimeout, (int)RoleTimeout.TotalMilliseconds);
        connection.ErrorMessage += (_, error) => activity.FindPrimaryAfter(error, connection);
        _ = new RedisWatchdog(activity, maxSilence).RunAsync(connection);
        return connection;
    }
}
