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

    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

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

    /// <summary>The address for log entries and errors. Default: that of the configuration.</summary>
    public RedisAddress Address { get => field ??= RedisAddress.Of(configuration, call); init; }

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
                sentinels = configuration.ServiceName is null ? null : new RedisSentinels(configuration, log) { Address = Address };
            }

            users++;
            opening = shared ??= new RedisConnectionStart(configuration, sentinels, ApplicationConnection, Address, log).RunAsync(failFast);
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
        var connection = await RedisConnectionOpener.OpenAsync(configuration, sentinels, BlockTime + RedisConnectionOpener.MaxSilence);
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
}
