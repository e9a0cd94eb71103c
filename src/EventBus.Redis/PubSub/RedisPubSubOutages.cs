using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Logs each period without a connection for events. Events published in that period are lost to this instance, and
/// nothing else reports the loss.
/// </summary>
internal sealed class RedisPubSubOutages : IDisposable
{
    // The name of the activity in the log of outages (BackendLog.Failing).
    private const string Listening = "listening";

    // IsConnected requires a channel. On a single server all channels use the same connection.
    private static readonly RedisChannel AnyChannel = RedisChannel.Literal("any");

    private readonly IConnectionMultiplexer connection;
    private readonly RedisAddress address;
    private readonly ILogger log;
    private readonly Lock gate = new();
    private bool isDisconnected;

    // True if the current outage was logged, so that its end is logged too.
    private bool isLogged;

    public RedisPubSubOutages(IConnectionMultiplexer connection, RedisAddress address, ILogger log)
    {
        this.connection = connection;
        this.address = address;
        this.log = log;
        isDisconnected = !connection.IsConnected;
        connection.ConnectionFailed += OnFailed;
        connection.ConnectionRestored += OnRestored;
    }

    public void Dispose()
    {
        connection.ConnectionFailed -= OnFailed;
        connection.ConnectionRestored -= OnRestored;
    }

    private void OnFailed(object? sender, ConnectionFailedEventArgs change)
    {
        if (!CarriesEvents(change))
        {
            return;
        }

        lock (gate)
        {
            if (isDisconnected)
            {
                return;
            }

            isDisconnected = true;
            var error = change.Exception ?? new IOException($"{change.FailureType}");
            isLogged = log.Failing(Listening, error, logger => logger.ListeningLost(address.Name, RedisAddress.CauseOf(error)));
        }

        // The client raises its events concurrently: OnRestored may have run for this reconnection before this method,
        // when no outage was recorded.
        if (connection.GetSubscriber().IsConnected(AnyChannel))
        {
            OnRestored(sender, change);
        }
    }

    private void OnRestored(object? sender, ConnectionFailedEventArgs change)
    {
        if (!CarriesEvents(change))
        {
            return;
        }

        lock (gate)
        {
            if (!isDisconnected)
            {
                return;
            }

            isDisconnected = false;
            log.Working(Listening);
            if (isLogged)
            {
                log.ListeningAgain();
            }
        }
    }

    /// <summary>
    /// True if the connection carries events. With RESP3 one connection carries everything; with RESP2 a second
    /// connection carries the events.
    /// </summary>
    private bool CarriesEvents(ConnectionFailedEventArgs change) =>
        change.ConnectionType == ConnectionType.Subscription
        || (change.EndPoint is { } endPoint && connection.GetServer(endPoint).Protocol == RedisProtocol.Resp3);
}
