using System.Net;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Opens connections: one that is shared, and separate ones for each receiver, because a blocking read delays all
/// commands behind it. Thread-safe.
/// </summary>
/// <param name="configuration">The configuration of the connections.</param>
/// <param name="call">The call that provided the configuration, for errors: <c>bus.UseRedis(...)</c>.</param>
/// <param name="log">The log for warnings.</param>
internal sealed class RedisConnector(ConfigurationOptions configuration, string call, ILogger log)
{
    /// <summary>The time for which a read waits at the server for new entries.</summary>
    public static readonly TimeSpan Block = TimeSpan.FromSeconds(1);

    /// <summary>The delay after the first failure of a loop, for <see cref="SupervisedLoop.FirstDelay"/>.</summary>
    public static readonly TimeSpan FirstRetryDelay = TimeSpan.FromMilliseconds(100);

    /// <summary>The timeout of all answers over the application's connection, and of short answers.</summary>
    public static readonly TimeSpan Answer = TimeSpan.FromSeconds(5);

    // The maximum time without activity, in addition to the time for which the server was asked to wait.
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(3);

    // The client's own timeout. It measures complete answers, so it must not end before the watchdog, which counts
    // bytes.
    private static readonly TimeSpan ClientTimeout = TimeSpan.FromHours(1);
    private static readonly TimeSpan RoleTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    // A placeholder. No connection uses it, because the sentinels name the endpoint.
    private const int PrimaryPort = 6379;

    private readonly Lock gate = new();
    private Task<IConnectionMultiplexer>? shared;

    // Exists while the shared connection has users.
    private RedisSentinels? sentinels;
    private int users;

    /// <summary>
    /// The application's connection, which is shared instead of one that the bus opens, and never closed; null for
    /// none. Receivers use separate connections in any case.
    /// </summary>
    public IConnectionMultiplexer? ApplicationConnection { get; init; }

    /// <summary>
    /// The timeout of an answer over the shared connection. None while the connection is active, because the watchdog
    /// closes an inactive one. The application's connection has no watchdog, but a timeout.
    /// </summary>
    public TimeSpan AnswerTimeout => ApplicationConnection is null ? Timeout.InfiniteTimeSpan : Answer;

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
        Task<IConnectionMultiplexer>? last = null;
        RedisSentinels? asked = null;
        lock (gate)
        {
            users--;
            if (users == 0)
            {
                (last, shared, asked) = (shared, null, sentinels);
            }
        }

        if (last is not null)
        {
            var closing = ApplicationConnection is null ? CloseAsync(last) : Task.CompletedTask;
            var closingSentinels = asked?.CloseAsync() ?? Task.CompletedTask;
            await Task.WhenAll(closing, closingSentinels)
                .WaitAsync(CloseTimeout, TimeProvider.System)
                .Quietly();
        }
    }

    /// <summary>Opens a connection for one receiver. See <see cref="RedisBlockingConnection"/>.</summary>
    /// <exception cref="EventBusException">Redis refuses a connection with the application's settings.</exception>
    public async Task<ConnectionMultiplexer> OpenBlockingAsync()
    {
        var connection = await OpenAsync(Block + Silence);
        try
        {
            if (ApplicationConnection is not null)
            {
                await connection.GetDatabase().PingAsync().WaitAsync(Answer, TimeProvider.System);
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
        var connection = ApplicationConnection ?? await OpenAsync(Silence);
        try
        {
            await CheckServerAsync(connection);
            return connection;
        }
        catch (Exception exception) when (!failFast && exception is RedisException or TimeoutException && !RedisErrors.IsRefusal(exception))
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
            // A failure of this check is ignored, because the check only produces warnings.
        }
    }

    /// <summary>Checks that the server answers, and that its version is supported.</summary>
    /// <exception cref="EventBusException">The server is too old.</exception>
    private async Task CheckServerAsync(IConnectionMultiplexer connection)
    {
        if (ApplicationConnection == connection)
        {
            // The application's connection may not allow admin commands.
            await PingAsync(connection).WaitAsync(Answer, TimeProvider.System);
            await using var own = await OpenAsync(Silence);
            await TryCheckServerAsync(own);
            return;
        }

        await PingAsync(connection).WaitAsync(Answer, TimeProvider.System);
        await new RedisServerCheck(connection, call, log).RunAsync();
    }

    /// <summary>
    /// Queries the roles when a server refuses a write because it is no longer the primary. The client itself queries
    /// them only once a minute.
    /// </summary>
    private void RefreshPrimary(ConnectionMultiplexer connection, RedisConnectionActivity activity, RedisErrorEventArgs error)
    {
        if (!error.Message.Contains("READONLY", StringComparison.Ordinal))
        {
            return;
        }

        if (sentinels is not null)
        {
            activity.CloseConnections(error.EndPoint);
        }
        else
        {
            _ = RedisWatchdog.RefreshPrimaryAsync(connection);
        }
    }

    private async Task<ConnectionMultiplexer> OpenAsync(TimeSpan silence)
    {
        var own = configuration.Clone();
        var asked = sentinels;
        var activity = new RedisConnectionActivity(own.Tunnel, asked);
        own.Tunnel = activity;
        if (asked is not null)
        {
            // A single endpoint, resolved by the tunnel when it connects.
            own.EndPoints.Clear();
            own.EndPoints.Add(new DnsEndPoint(own.ServiceName!, PrimaryPort));
            (own.ServiceName, own.ResolveDns) = (null, false);
        }

        own.AsyncTimeout = (int)ClientTimeout.TotalMilliseconds;

        // The client treats INFO as an admin command. It reports whether Redis persists accepted data.
        own.AllowAdmin = true;

        // The client reconnects by itself. A command that cannot be sent now fails now, and is not sent later and out
        // of order.
        own.AbortOnConnectFail = false;
        own.BacklogPolicy = BacklogPolicy.FailFast;
        own.ReconnectRetryPolicy = new ExponentialRetry(100, 2_000);
        var connection = await ConnectionMultiplexer.ConnectAsync(own);

        // After the connection is open, this limits how long the client waits for unreachable servers before it asks
        // the others which server is the primary.
        own.ConnectTimeout = Math.Min(own.ConnectTimeout, (int)RoleTimeout.TotalMilliseconds);
        connection.ErrorMessage += (_, error) => RefreshPrimary(connection, activity, error);
        _ = new RedisWatchdog(activity, silence).RunAsync(connection);
        return connection;
    }
}
