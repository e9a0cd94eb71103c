using System.Net;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Asks sentinels which server is the primary. Thread-safe.</summary>
/// <remarks>
/// Each new connection of the bus asks, and goes to the server that most sentinels name. The client's own support chooses among all servers that call themselves primary:
/// one that comes back after a fail-over does so too until a sentinel corrects it, and what it accepts meanwhile is lost.
/// </remarks>
/// <param name="configuration">The application's configuration, with the name of the service.</param>
internal sealed class RedisSentinels(ConfigurationOptions configuration)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private Task<ConnectionMultiplexer>? connecting;

    /// <summary>Finds the primary.</summary>
    /// <exception cref="RedisConnectionException">No sentinel answers, or none knows the service.</exception>
    public async Task<EndPoint> FindPrimaryAsync()
    {
        var connection = await ConnectAsync();
        var answers = await Task.WhenAll(connection.GetServers().Select(AskAsync));
        return answers.OfType<EndPoint>().GroupBy(answer => answer).MaxBy(group => group.Count())?.Key
            ?? throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, CommandFlags.None, $"No sentinel names a primary of the service '{configuration.ServiceName}'.");

        async Task<EndPoint?> AskAsync(IServer sentinel)
        {
            try
            {
                return await sentinel.SentinelGetMasterAddressByNameAsync(configuration.ServiceName!).WaitAsync(Patience, TimeProvider.System);
            }
            catch (Exception)
            {
                // The others answer.
                return null;
            }
        }
    }

    /// <summary>Closes the connections to the sentinels. Never throws; the next question opens them again.</summary>
    public async Task CloseAsync()
    {
        Task<ConnectionMultiplexer>? last;
        lock (gate)
        {
            (last, connecting) = (connecting, null);
        }

        try
        {
            if (last is not null)
            {
                await using var connection = await last;
            }
        }
        catch (Exception)
        {
            // There is none.
        }
    }

    private Task<ConnectionMultiplexer> ConnectAsync()
    {
        lock (gate)
        {
            return connecting = connecting is null or { IsFaulted: true } ? OpenAsync() : connecting;
        }
    }

    private async Task<ConnectionMultiplexer> OpenAsync()
    {
        var own = configuration.Clone();
        own.AbortOnConnectFail = false;
        own.BacklogPolicy = BacklogPolicy.FailFast;
        own.ReconnectRetryPolicy = new ExponentialRetry(100, 2_000);
        (own.User, own.Password) = (configuration.SentinelUser, configuration.SentinelPassword);

        // The client waits for so long for a sentinel that is gone.
        own.ConnectTimeout = Math.Min(own.ConnectTimeout, (int)Patience.TotalMilliseconds);
        return await ConnectionMultiplexer.SentinelConnectAsync(own);
    }
}
