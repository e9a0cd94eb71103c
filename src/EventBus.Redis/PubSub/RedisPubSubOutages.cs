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
    private const string Listening = "listening";

    private static readonly RedisChannel AnyChannel = RedisChannel.Literal("any");

    private readonly IConnectionMultiplexer connection;
    private readonly ILogger log;
    private readonly Lock gate = new();
    private bool isOut;
    private bool isLogged;

    public RedisPubSubOutages(IConnectionMultiplexer connection, ILogger log)
    {
        (this.connection, this.log, isOut) = (connection, log, !connection.IsConnected);
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
            if (isOut)
            {
                return;
            }

            isOut = true;
            var failure = change.FailureType.ToString();
            isLogged = log.Failing(Listening, change.Exception ?? new IOException(failure), logger => logger.ListeningLost(failure));
        }

        // The client raises its events concurrently: the event that reports the reconnection may have come first.
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
            if (isOut)
            {
                isOut = false;
                log.Working(Listening);
                if (isLogged)
                {
                    log.ListeningAgain();
                }
            }
        }
    }

    /// <summary>
    /// True if the connection carries events. With RESP3 one connection carries everything; with RESP2 a second
    /// connection carries the events.
    /// </summary>
    private bool CarriesEvents(ConnectionFailedEventArgs change) =>
        change.ConnectionType == ConnectionType.Subscription
        || (change.EndPoint is { } place && connection.GetServer(place).Protocol == RedisProtocol.Resp3);
}
