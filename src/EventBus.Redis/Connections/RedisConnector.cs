using System.Net;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Opens connections: one that the transport and the stores share, and separate ones for each receiver, because a
/// blocking read delays all commands behind it. Thread-safe.
/// </summary>
/// <param name="configuration">The configuration of the connections.</param>
/// <param name="call">The call that provided the configuration, for errors: <c>bus.UseRedis(...)</c>.</param>
/// <param name="log">The log for warnings.</param>
internal sealed class RedisConnector(ConfigurationOptions configuration, string call, ILogger log)
{
    /// <summary>The time for which a read waits at the server for new entries.</summary>
    public static readonly TimeSpan BlockTime = TimeSpan.FromSeconds(1);

    /// <summary>The delay after the first failure of a loop, for <see cref="SupervisedLoop.FirstDelay"/>.</summary>
    public static readonly TimeSpan FirstRetryDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>The timeout of commands over the application's connection, and of those with a short answer.</summary>
    public static readonly TimeSpan CommandTimeout = TimeSpan.FromSeconds(5);

    // The time without activity after which the watchdog closes a connection. A connection for blocking reads gets
    // BlockTime in addition.
    private static readonly TimeSpan MaxSilence = TimeSpan.FromSeconds(3);

    // The client's own timeout. It measures complete answers and not bytes, so it is so long that it never applies
    // before the watchdog.
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromHours(1);
    private static readonly TimeSpan RoleTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    // A placeholder: with sentinels, RedisConnectionActivity replaces the endpoint by the one that they name.
    private const int PlaceholderPort = 6379;

    private readonly Lock gate = new();
    private Task<IConnectionMultiplexer>? shared;

    // Created when the shared connection gets its first user, and closed when the last one has released it.
    private RedisSentinels? sentinels;
    private int users;

    /// <summary>
    /// The application's connection, which is shared instead of one that the bus opens, and never closed; null for
    /// none. Receivers use separate connections in any case.
    /// </summary>
    public IConnectionMultiplexer? ApplicationConnection { get; init; }

    /// <summary>
    /// The timeout of an answer over the shared connection. Infinite for a connection that the bus has opened, because
    /// its watchdog closes it if it is inactive. The application's connection has no watchdog.
    /// </summary>
    public TimeSpan AnswerTimeout => ApplicationConnection is null ? Timeout.InfiniteTimeSpan : CommandTimeout;

    /// <summary>
    /// Returns the connection that the transport and the stores share. Each successful call requires one call of
    /// <see cref="ReleaseAsync"/>.
    /// </summary>
    /// <param name="failFast">
    /// True to throw if Redis does not answer. Otherwise the connection is returned nevertheless, and continues to
    /// connect.
    /// </param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <exception cref="EventBusException">Redis does not answer, or refuses the connection.</exception>
    public async Task<IConnectionMultiplexer> ShareAsync(bool failFast, CancellationToken cancellationToken)
    {
        Task<IConnectionMultiplexer> opening;
        lock (gate)
        {
            if (users == 0)
            {
                sentinels = configuration.ServiceName is null ? null : new RedisSentinels(configuration, log);
            }

            users++;
            opening = shared ??= OpenCheckedAsync(failFast);
        }

        try
        {
            return await opening.Observed().WaitAsync(cancellationToken);
        }
        catch
        {
            await ReleaseAsync();
            throw;
        }
    }

    /// <summary>Waits for an answer over the shared connection, at most <see cref="AnswerTimeout"/>.</summary>
    /// <exception cref="TimeoutException">The application's connection did not answer in time.</exception>
    public Task<T> AnswerAsync<T>(Task<T> answer, CancellationToken cancellationToken) =>
        answer.Observed().WaitAsync(AnswerTimeout, TimeProvider.System, cancellationToken);

    /// <inheritdoc cref="AnswerAsync{T}"/>
    public Task AnswerAsync(Task answer, CancellationToken cancellationToken) =>
        answer.Observed().WaitAsync(AnswerTimeout, TimeProvider.System, cancellationToken);

    /// <summary>Closes the shared connection when its last user has released it. Never throws.</summary>
    public async Task ReleaseAsync()
    {
        Task<IConnectionMultiplexer>? unused = null;
        RedisSentinels? unusedSentinels = null;
        lock (gate)
        {
            users--;
            if (users == 0)
            {
                unused = shared;
                unusedSentinels = sentinels;
                shared = null;
            }
        }

        if (unused is not null)
        {
            var closing = ApplicationConnection is null ? CloseAsync(unused) : Task.CompletedTask;
            var closingSentinels = unusedSentinels?.CloseAsync() ?? Task.CompletedTask;
            await Task.WhenAll(closing, closingSentinels)
                .WaitAsync(CloseTimeout, TimeProvider.System)
                .Quietly();
        }
    }

    /// <summary>Opens a connection for one receiver. See <see cref="RedisBlockingConnection"/>.</summary>
    /// <exception cref="EventBusException">Redis refuses a connection with the application's settings.</exception>
    public async Task<ConnectionMultiplexer> OpenBlockingAsync()
    {
        var connection = await OpenAsync(BlockTime + MaxSilence);
        try
        {
            if (ApplicationConnection is not null)
            {
                // Its configuration was read from a text, so it may be incomplete.
                await connection.GetDatabase().PingAsync().WaitAsync(CommandTimeout, TimeProvider.System);
            }
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            if (RedisErrors.IsRefusal(exception))
            {
                await connection.DisposeAsync();
                throw new EventBusException(
                    $"Redis refuses the connections that {call} needs in addition to the registered IConnectionMultiplexer: "
                        + $"{exception.Message} They are opened with its configuration as text, which lacks settings that were made in "
                        + "code. Pass a connection string instead.",
                    exception);
            }

            // Redis cannot be reached now: the client connects later.
        }

        return connection;
    }

    /// <summary>Checks that Redis answers. A denied command is also an answer.</summary>
    public static async Task PingAsync(IConnectionMultiplexer connection)
    {
        try
        {
            await connection.GetDatabase().PingAsync();
        }
        catch (RedisServerException exception) when (RedisErrors.IsDenied(exception))
        {
            // Redis answered.
        }
    }

    private static async Task CloseAsync(Task<IConnectionMultiplexer> opening)
    {
        var connection = await opening;
        await connection.CloseAsync(allowCommandsToComplete: false);
    }

    private async Task<IConnectionMultiplexer> OpenCheckedAsync(bool failFast)
    {
        var connection = ApplicationConnection ?? await OpenAsync(MaxSilence);
        try
        {
            await CheckServerAsync(connection);
            return connection;
        }
        catch (Exception exception) when (!failFast && IsTemporary(exception))
        {
            log.StartedDegraded();
            connection.ConnectionRestored += (_, _) => _ = TryCheckServerAsync(connection);
            return connection;
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException or EventBusException)
        {
            if (ApplicationConnection is null)
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
                    $"Redis refuses the user given to {call}: {exception.Message} Correct the user, the password and the rights.",
                    exception);
            }

            var detail = sentinels?.Problem is { } problem ? $" {problem}" : "";
            throw new EventBusException(
                $"Redis does not answer at the address given to {call}. Start it, or correct the address.{detail}",
                exception);
        }
    }

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
            // The server could not be checked. Nothing depends on that: the check only logs.
        }
    }

    /// <summary>Checks that the server answers, and that its version is supported.</summary>
    /// <exception cref="EventBusException">
    /// The server is too old. With the application's connection that is only logged.
    /// </exception>
    private async Task CheckServerAsync(IConnectionMultiplexer connection)
    {
        await PingAsync(connection).WaitAsync(CommandTimeout, TimeProvider.System);
        if (ApplicationConnection == connection)
        {
            // The application's connection may not allow admin commands, so a separate one checks the server.
            await using var own = await OpenAsync(MaxSilence);
            await TryCheckServerAsync(own);
            return;
        }

        await new RedisServerCheck(connection, call, log).RunAsync();
    }

    private async Task<ConnectionMultiplexer> OpenAsync(TimeSpan maxSilence)
    {
        var own = configuration.Clone();
        var currentSentinels = sentinels;
        var activity = new RedisConnectionActivity(own.Tunnel, currentSentinels);
        own.Tunnel = activity;
        if (currentSentinels is not null)
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
        var connection = await ConnectionMultiplexer.ConnectAsync(own);

        // The client reads this value again at each later query of the roles: it limits the wait for unreachable
        // servers.
        own.ConnectTimeout = Math.Min(own.ConnectTimeout, (int)RoleTimeout.TotalMilliseconds);
        connection.ErrorMessage += (_, error) => activity.FindPrimaryAfter(error, connection);
        _ = new RedisWatchdog(activity, maxSilence).RunAsync(connection);
        return connection;
    }
}
