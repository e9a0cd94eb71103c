using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace EventBus;

/// <summary>Knows when the connections of one multiplexer last showed a sign of life: a received byte, or a write that had to wait and went on. Thread-safe.</summary>
/// <remarks>A whole answer is no measure: on a slow wire one of 16 MB takes longer than any patience, and whatever is asked behind it waits as long.</remarks>
/// <param name="inner">What the application's configuration has set; null for none.</param>
/// <param name="sentinels">They know the server to connect to; null where the configuration names it.</param>
internal sealed class RedisConnectionActivity(Tunnel? inner, RedisSentinels? sentinels) : Tunnel
{
    private readonly ConcurrentDictionary<ActivityTrackingStream, EndPoint> open = new();

    public override async ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken)
    {
        var server = sentinels is null ? endpoint : await sentinels.FindPrimaryAsync();
        return await (inner?.GetSocketConnectEndpointAsync(server, cancellationToken) ?? base.GetSocketConnectEndpointAsync(server, cancellationToken));
    }

    public override ValueTask BeforeSocketConnectAsync(EndPoint endPoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken) =>
        inner?.BeforeSocketConnectAsync(endPoint, connectionType, socket, cancellationToken) ?? base.BeforeSocketConnectAsync(endPoint, connectionType, socket, cancellationToken);

    public override async ValueTask<Stream?> BeforeAuthenticateAsync(EndPoint endpoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken)
    {
        var stream = inner is null ? null : await inner.BeforeAuthenticateAsync(endpoint, connectionType, socket, cancellationToken);
        if ((stream ?? (socket is null ? null : new NetworkStream(socket))) is not { } beneath)
        {
            return null;
        }

        var wire = new ActivityTrackingStream(beneath, socket, connectionType, closed => open.TryRemove(closed, out _));
        open[wire] = endpoint;
        return wire;
    }

    /// <summary>For how long the connection that answers commands has shown no sign of life; the longest time where there is none.</summary>
    public TimeSpan SilenceOf(EndPoint server) => open
        .Where(each => each.Key.Type == ConnectionType.Interactive && each.Value.Equals(server))
        .Select(each => each.Key.Silence)
        .DefaultIfEmpty(TimeSpan.MaxValue)
        .Min();

    /// <summary>Whether there are connections of their own for subscriptions, as in version 2 of the protocol.</summary>
    public bool HasSubscriptions => open.Keys.Any(IsSubscription);

    /// <summary>The longest time for which a connection for subscriptions has left something without an answer.</summary>
    public TimeSpan SubscriptionsUnanswered => open.Keys.Where(IsSubscription).Select(each => each.Unanswered).DefaultIfEmpty(TimeSpan.Zero).Max();

    /// <summary>Ends the connections for subscriptions that have left something without an answer for so long.</summary>
    public void EndSubscriptions(TimeSpan unanswered)
    {
        foreach (var stream in open.Keys.Where(each => IsSubscription(each) && each.Unanswered >= unanswered))
        {
            stream.End();
        }
    }

    private static bool IsSubscription(ActivityTrackingStream stream) => stream.Type == ConnectionType.Subscription;

    /// <summary>Ends the connections to a server. The client sees the end of each, and makes others.</summary>
    public void End(EndPoint server)
    {
        foreach (var (stream, _) in open.Where(each => each.Value.Equals(server)))
        {
            stream.End();
        }
    }
}
