using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Opens the shared connection and checks its server, and explains why that fails.</summary>
/// <param name="configuration">The configuration of the connection.</param>
/// <param name="sentinels">The sentinels that name the primary; null for none.</param>
/// <param name="applicationConnection">
/// The application's connection, which is used instead of a new one; null for none.
/// </param>
/// <param name="address">The address, for errors.</param>
/// <param name="log">The log for warnings.</param>
internal sealed class RedisConnectionStart(
    ConfigurationOptions configuration,
    RedisSentinels? sentinels,
    IConnectionMultiplexer? applicationConnection,
    RedisAddress address,
    ILogger log)
{
    /// <summary>Opens the connection, and checks its server.</summary>
    /// <param name="failFast">
    /// True to throw if Redis does not answer. Otherwise the connection is returned nevertheless, and its server is
    /// checked as soon as it answers.
    /// </param>
    /// <exception cref="EventBusException">Redis does not answer, or refuses the connection.</exception>
    public async Task<IConnectionMultiplexer> RunAsync(bool failFast)
    {
        var connection = applicationConnection ?? await OpenAsync();
        try
        {
            await CheckServerAsync(connection);
            return connection;
        }
        catch (Exception exception) when (!failFast && IsTemporary(exception))
        {
            log.StartedDegraded(address.Name, CauseOf(exception));
            CheckOnceRestored(connection);
            return connection;
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or EventBusException)
        {
            if (applicationConnection is null)
            {
                await connection.DisposeAsync();
            }

            if (exception is EventBusException)
            {
                throw;
            }

            if (RedisErrors.IsRefusal(exception))
            {
                throw new EventBusException(
                    $"Redis at {address} refuses the user given to {address.Call}: {RedisAddress.CauseOf(exception)}. "
                        + "Correct the user, the password and the rights.",
                    exception);
            }

            throw new EventBusException(
                $"Redis at {address} is out of reach: {CauseOf(exception)}. Start it, or correct the address given to {address.Call}.",
                exception);
        }
    }

    private string CauseOf(Exception exception) => sentinels?.Problem?.TrimEnd('.') ?? RedisAddress.CauseOf(exception);

    private Task<ConnectionMultiplexer> OpenAsync() =>
        RedisConnectionOpener.OpenAsync(configuration, sentinels, RedisConnectionOpener.MaxSilence);

    private static bool IsTemporary(Exception exception) =>
        (exception is RedisException or TimeoutException) && !RedisErrors.IsRefusal(exception);

    private async Task TryCheckServerAsync(IConnectionMultiplexer connection)
    {
        try
        {
            await CheckServerAsync(connection);
        }
        catch (EventBusException exception)
        {
            log.ServerRejected(exception.Message);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or ObjectDisposedException)
        {
            // The server could not be checked. Nothing depends on that: here a check only logs.
        }
    }

    /// <summary>Checks the server when the connection is restored for the first time.</summary>
    private void CheckOnceRestored(IConnectionMultiplexer connection)
    {
        connection.ConnectionRestored += OnRestored;

        void OnRestored(object? sender, ConnectionFailedEventArgs restored)
        {
            // A connection of the application lives longer than the bus, and must not keep this object.
            connection.ConnectionRestored -= OnRestored;
            _ = TryCheckServerAsync(connection);
        }
    }

    /// <summary>Checks that the server answers, and that its version is supported.</summary>
    /// <exception cref="EventBusException">
    /// The server is too old. With the application's connection that is only logged.
    /// </exception>
    private async Task CheckServerAsync(IConnectionMultiplexer connection)
    {
        await RedisConnector.PingAsync(connection).WaitAsync(RedisConnector.CommandTimeout, TimeProvider.System);
        if (applicationConnection == connection)
        {
            // The application's connection may not allow admin commands, so a separate one checks the server. The
            // application has chosen the server: what is found is only logged.
            await using var own = await OpenAsync();
            await TryCheckServerAsync(own);
            return;
        }

        await new RedisServerCheck(connection, address, log).RunAsync();
    }
}
