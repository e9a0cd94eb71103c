using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace EventBus;

/// <summary>
/// Tracks the last activity of the connections of one multiplexer. Activity is a received byte, or a write that had to
/// wait and then continued. Thread-safe.
/// </summary>
/// <remarks>
/// Complete answers are not a usable measure: on a slow connection an answer of 16 MB can take longer than any timeout,
/// and later commands wait behind it.
/// </remarks>
/// <param name="inner">The tunnel in the application's configuration; null for none.</param>
/// <param name="sentinels">Name the server to connect to; null if the configuration names it.</param>
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
        if ((stream ?? (socket is null ? null : new NetworkStream(socket))) is not { } beneath)
        {
            return null;
        }

        var tracked = new ActivityTrackingStream(beneath, socket, connectionType, closed => open.TryRemove(closed, out _));
        open[tracked] = endpoint;
        return tracked;
    }

    /// <summary>
    /// Gets the time since the last activity of the connection for commands; the longest possible time if there is
    /// none.
    /// </summary>
    public TimeSpan SilenceOf(EndPoint server) => open
        .Where(each => each.Key.Type == ConnectionType.Interactive && each.Value.Equals(server))
        .Select(each => each.Key.Silence)
        .DefaultIfEmpty(TimeSpan.MaxValue)
        .Min();

    /// <summary>True if there are separate connections for subscriptions, as with RESP2.</summary>
    public bool HasSubscriptions => open.Keys.Any(IsSubscription);

    /// <summary>The longest time for which a connection for subscriptions has not answered.</summary>
    public TimeSpan SubscriptionsUnanswered =>
        open.Keys.Where(IsSubscription).Select(each => each.Unanswered).DefaultIfEmpty(TimeSpan.Zero).Max();

    /// <summary>Closes the connections for subscriptions that have not answered for at least the given time.</summary>
    public void EndSubscriptions(TimeSpan unanswered)
    {
        foreach (var stream in open.Keys.Where(each => IsSubscription(each) && each.Unanswered >= unanswered))
        {
            stream.End();
        }
    }

    private static bool IsSubscription(ActivityTrackingStream stream) => stream.Type == ConnectionType.Subscription;

    /// <summary>Closes the connections to a server. The client notices and opens new ones.</summary>
    public void End(EndPoint server)
    {
        foreach (var (stream, _) in open.Where(each => each.Value.Equals(server)))
        {
            stream.End();
        }
    }
}
