using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Tells of every time in which nothing was received: those events are gone, and nobody else will say so.</summary>
internal sealed class RedisPubSubOutages : IDisposable
{
    private const string Listening = "listening";

    private readonly IConnectionMultiplexer connection;
    private readonly ILogger log;
    private int isOut;
    private volatile bool isTold;

    public RedisPubSubOutages(IConnectionMultiplexer connection, ILogger log)
    {
        (this.connection, this.log, isOut) = (connection, log, connection.IsConnected ? 0 : 1);
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
        if (CarriesEvents(change) && Interlocked.Exchange(ref isOut, 1) == 0)
        {
            var failure = change.FailureType.ToString();
            isTold = log.Failing(Listening, change.Exception ?? new IOException(failure), full => full.ListeningLost(failure));
        }
    }

    private void OnRestored(object? sender, ConnectionFailedEventArgs change)
    {
        if (CarriesEvents(change) && Interlocked.Exchange(ref isOut, 0) == 1)
        {
            log.Working(Listening);
            if (isTold)
            {
                log.ListeningAgain();
            }
        }
    }

    /// <summary>In version 3 of the protocol one connection carries all, before it a second one the events.</summary>
    private bool CarriesEvents(ConnectionFailedEventArgs change) =>
        change.ConnectionType == ConnectionType.Subscription
        || (change.EndPoint is { } place && connection.GetServer(place).Protocol == RedisProtocol.Resp3);
}
