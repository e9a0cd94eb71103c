using System.Net;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Asks sentinels which server is the primary. Thread-safe.</summary>
/// <remarks>
/// Before each new connection, the bus asks all sentinels, and connects to the server that most of them name. The
/// client's own support of sentinels accepts any server that reports itself as a primary. After a failover, a former
/// primary that returns still reports itself as one until a sentinel reconfigures it. Data that it accepts in the
/// meantime is lost.
/// </remarks>
/// <param name="configuration">The application's configuration, with the name of the service.</param>
/// <param name="log">
/// The log for warnings. They are logged here, because the client ignores the errors of this search.
/// </param>
internal sealed class RedisSentinels(ConfigurationOptions configuration, ILogger log)
{
    // The name of the search in the log.
    private const string Activity = "finding the primary";

    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(1);

    private readonly Lock gate = new();
    private Task<ConnectionMultiplexer>? opening;
    private volatile string? problem;
    private bool isClosed;

    /// <summary>The addresses of the sentinels, for log entries. Default: those of the configuration.</summary>
    public RedisAddress Address { get => field ??= RedisAddress.Of(configuration, ""); init; }

    /// <summary>The reason why the last search found no primary; null if it found one.</summary>
    public string? Problem => problem;

    /// <summary>Finds the primary.</summary>
    /// <exception cref="RedisConnectionException">No sentinel answers, or none knows the service.</exception>
    /// <exception cref="ObjectDisposedException">The connections to the sentinels are closed.</exception>
    public async Task<EndPoint> FindPrimaryAsync()
    {
        try
        {
            var primary = await AskAsync();
            problem = null;
            log.Working(Activity);
            return primary;
        }
        catch (Exception exception) when (exception is not ObjectDisposedException)
        {
            problem = exception.Message;
            log.Failing(Activity, exception, logger => logger.NoPrimary(Address.Name, exception));
            throw;
        }
    }

    /// <summary>Closes the connections to the sentinels. They are not opened again. Never throws.</summary>
    public async Task CloseAsync()
    {
        Task<ConnectionMultiplexer>? opened;
        lock (gate)
        {
            opened = opening;
            opening = null;
            isClosed = true;
        }

        try
        {
            if (opened is not null)
            {
                await using var connection = await opened;
            }
        }
        catch (Exception)
        {
            // The connection could not be opened, so there is nothing to close.
        }
    }

    private async Task<EndPoint> AskAsync()
    {
        var connection = await ConnectAsync();
        var answers = await Task.WhenAll(connection.GetServers().Select(AskOneAsync));

        // The answer that most sentinels gave.
        return answers.OfType<EndPoint>().GroupBy(answer => answer).MaxBy(group => group.Count())?.Key
            ?? throw new RedisConnectionException(
                ConnectionFailureType.UnableToConnect,
                CommandFlags.None,
                $"No sentinel that answers names a primary of the service '{configuration.ServiceName}'.");

        async Task<EndPoint?> AskOneAsync(IServer sentinel)
        {
            try
            {
                return await sentinel.SentinelGetMasterAddressByNameAsync(configuration.ServiceName!)
                    .WaitAsync(AnswerTimeout, TimeProvider.System);
            }
            catch (Exception)
            {
                // A sentinel without an answer does not count.
                return null;
            }
        }
    }

    private Task<ConnectionMultiplexer> ConnectAsync()
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(isClosed, this);
            if (opening is null || opening.IsFaulted)
            {
                opening = OpenAsync();
            }

            return opening;
        }
    }

    private async Task<ConnectionMultiplexer> OpenAsync()
    {
        var own = configuration.Clone();
        own.AbortOnConnectFail = false;
        own.BacklogPolicy = BacklogPolicy.FailFast;
        own.ReconnectRetryPolicy = new ExponentialRetry(100, 2_000);
        own.User = configuration.SentinelUser;
        own.Password = configuration.SentinelPassword;

        // The client waits up to this time for a sentinel that is unreachable.
        own.ConnectTimeout = Math.Min(own.ConnectTimeout, (int)AnswerTimeout.TotalMilliseconds);
        return await ConnectionMultiplexer.SentinelConnectAsync(own);
    }
}
