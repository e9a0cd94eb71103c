using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace EventBus;

/// <summary>
/// Tracks the last activity of the connections of one multiplexer, and connects to the primary that the sentinels name.
/// Thread-safe.
/// </summary>
/// <remarks>
/// Activity is a received byte, or a write that waited for the other side and then continued: the client's buffer was
/// full, and the server has read a part of it. A complete answer cannot be the sign that a connection works: on a slow
/// connection an answer of 16 MB can take longer than any timeout, and later commands wait behind it.
/// </remarks>
/// <param name="inner">The tunnel in the application's configuration; null for none.</param>
/// <param name="sentinels">
/// The sentinels that are asked for the primary before each connection is opened; null to connect to the configured
/// server.
/// </param>
internal sealed class RedisConnectionActivity(Tunnel? inner, RedisSentinels? sentinels) : Tunnel
{
    private readonly ConcurrentDictionary<ActivityTrackingStream, EndPoint> open = new();

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

        // The endpoint is the one that the client knows, with which the watchdog asks for the activity of a server.
        var tracked = new ActivityTrackingStream(stream, socket, connectionType, closed => open.TryRemove(closed, out _));
        open[tracked] = endpoint;
        return tracked;
    }

    /// <summary>
    /// Gets the time since the last activity of the connection for commands to a server;
    /// <see cref="TimeSpan.MaxValue"/> if there is no such connection. While an old connection is closed and a new one
    /// is open, the activity of the more active one counts.
    /// </summary>
    public TimeSpan SilenceOf(EndPoint server) => open
        .Where(each => each.Key.Type == ConnectionType.Interactive && each.Value.Equals(server))
        .Select(each => each.Key.Silence)
        .DefaultIfEmpty(TimeSpan.MaxValue)
        .Min();

    /// <summary>True if there are separate connections for Pub/Sub, as with RESP2.</summary>
    public bool HasPubSubConnections => open.Keys.Any(IsPubSub);

    /// <summary>
    /// The time since the oldest request over a connection for Pub/Sub after which no byte was received; zero if all
    /// requests were answered.
    /// </summary>
    public TimeSpan PubSubWait => open.Keys.Where(IsPubSub).Select(each => each.Unanswered).DefaultIfEmpty(TimeSpan.Zero).Max();

    /// <summary>Closes the connections for Pub/Sub whose oldest request has had no answer for the given time.</summary>
    public void ClosePubSubConnections(TimeSpan unanswered)
    {
        foreach (var stream in open.Keys.Where(each => IsPubSub(each) && each.Unanswered >= unanswered))
        {
            stream.Shutdown();
        }
    }

    private static bool IsPubSub(ActivityTrackingStream stream) => stream.Type == ConnectionType.Subscription;

    /// <summary>Closes the connections to a server. The client notices and opens new ones.</summary>
    public void CloseConnections(EndPoint server)
    {
        foreach (var (stream, _) in open.Where(each => each.Value.Equals(server)))
        {
            stream.Shutdown();
        }
    }
}
