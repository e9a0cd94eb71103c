using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace EventBus;

/// <summary>
/// Tracks the last activity of the connections of one multiplexer, and directs them to the primary of the servers.
/// Thread-safe.
/// </summary>
/// <remarks>
/// Activity is a received byte, or a write that waited and then continued: the buffer was full, and the server has read
/// a part of it. A complete answer cannot be the sign that a connection works: on a slow connection an answer of 16 MB
/// can take longer than any timeout, and later commands wait behind it.
/// </remarks>
/// <param name="inner">The tunnel in the application's configuration; null for none.</param>
/// <param name="sentinels">
/// The sentinels that are asked for the primary before each connection is opened; null to connect to the configured
/// server.
/// </param>
internal sealed class RedisConnectionActivity(Tunnel? inner, RedisSentinels? sentinels) : Tunnel
{
    // The open connections, each with its server.
    private readonly ConcurrentDictionary<ActivityTrackingStream, EndPoint> connections = new();

    public override async ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken)
    {
        var server = sentinels is null ? endpoint : await sentinels.FindPrimaryAsync();
        return await (inner?.GetSocketConnectEndpointAsync(server, cancellationToken)
            ?? base.GetSocketConnectEndpointAsync(server, cancellationToken));
    }

    public override ValueTask BeforeSocketConnectAsync(
        EndPoint endPoint,
        ConnectionType connectionType,
        Socket? socket,
        CancellationToken cancellationToken) =>
        inner?.BeforeSocketConnectAsync(endPoint, connectionType, socket, cancellationToken)
            ?? base.BeforeSocketConnectAsync(endPoint, connectionType, socket, cancellationToken);

    public override async ValueTask<Stream?> BeforeAuthenticateAsync(
        EndPoint endpoint,
        ConnectionType connectionType,
        Socket? socket,
        CancellationToken cancellationToken)
    {
        var stream = inner is null ? null : await inner.BeforeAuthenticateAsync(endpoint, connectionType, socket, cancellationToken);
        if (stream is null && socket is not null)
        {
            stream = new NetworkStream(socket);
        }

        if (stream is null)
        {
            return null;
        }

        // The watchdog uses the same endpoint of the client to get the activity of a server.
        var tracked = new ActivityTrackingStream(stream, socket, connectionType, closed => connections.TryRemove(closed, out _));
        connections[tracked] = endpoint;
        return tracked;
    }

    /// <summary>
    /// Gets the time since the last activity of the connection for commands to a server;
    /// <see cref="TimeSpan.MaxValue"/> if there is no such connection. While an old connection is closed and a new one
    /// is open, the activity of the more active one counts.
    /// </summary>
    public TimeSpan SilenceOf(EndPoint server) => connections
        .Where(each => each.Key.Type == ConnectionType.Interactive && each.Value.Equals(server))
        .Select(each => each.Key.Silence)
        .DefaultIfEmpty(TimeSpan.MaxValue)
        .Min();

    /// <summary>True if there are separate connections for Pub/Sub, as with RESP2.</summary>
    public bool HasPubSubConnections => connections.Keys.Any(IsPubSub);

    /// <summary>
    /// The longest time for which a request over a connection for Pub/Sub has had no answer, not a single byte; zero if
    /// all requests were answered.
    /// </summary>
    public TimeSpan PubSubWait =>
        connections.Keys.Where(IsPubSub).Select(each => each.Unanswered).DefaultIfEmpty(TimeSpan.Zero).Max();

    /// <summary>Closes the connections for Pub/Sub on which a request has had no answer for the given time.</summary>
    public void ClosePubSubConnections(TimeSpan unanswered)
    {
        foreach (var stream in connections.Keys.Where(each => IsPubSub(each) && each.Unanswered >= unanswered))
        {
            stream.Shutdown();
        }
    }

    /// <summary>Closes the connections to a server. The client notices and opens new ones.</summary>
    public void CloseConnections(EndPoint server)
    {
        foreach (var (stream, _) in connections.Where(each => each.Value.Equals(server)))
        {
            stream.Shutdown();
        }
    }

    /// <summary>
    /// Searches the primary when a server refuses a write because it is a replica. The client itself queries the roles
    /// of the servers only once a minute.
    /// </summary>
    /// <param name="error">The error of a server.</param>
    /// <param name="connection">The multiplexer.</param>
    public void FindPrimaryAfter(RedisErrorEventArgs error, ConnectionMultiplexer connection)
    {
        if (!error.Message.Contains("READONLY", StringComparison.Ordinal))
        {
            return;
        }

        if (sentinels is not null)
        {
            // The client connects again, now to the server that the sentinels name.
            CloseConnections(error.EndPoint);
        }
        else
        {
            _ = RedisWatchdog.RefreshPrimaryAsync(connection);
        }
    }

    private static bool IsPubSub(ActivityTrackingStream stream) => stream.Type == ConnectionType.Subscription;
}
