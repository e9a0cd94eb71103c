using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>The names of channels, and the patterns that listen to several of them.</summary>
/// <remarks>No hash tag: a cluster hands what is published to all of its nodes.</remarks>
internal sealed class RedisPubSubTopology(RedisPubSubOptions options, TransportTopology topology)
{
    private readonly string root = $"{options.KeyPrefix}:";

    public TimeProvider Time => topology.TimeProvider;

    /// <summary>The CloudEvents <c>source</c> of what this application publishes.</summary>
    public string Source => topology.ServiceName;

    public RedisChannel ChannelOf(string eventName) => RedisChannel.Literal(root + eventName);

    /// <summary>What a subscription listens to, each once. Wider than its patterns, because a glob knows no words: <see cref="ArrivalOf"/> decides.</summary>
    public RedisChannel[] ChannelsOf(Subscription subscription) => [.. subscription.Patterns.Select(ChannelOf).Distinct()];

    /// <summary>The event's name if a message concerns a subscription; null for another's, and for what the subscription gets through another of its channels too.</summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="listenedTo">What was listened to.</param>
    /// <param name="channel">Where the message was published.</param>
    public string? ArrivalOf(Subscription subscription, RedisChannel listenedTo, string channel)
    {
        // Another prefix may begin with ours, or a channel may be no event's.
        if (!channel.StartsWith(root, StringComparison.Ordinal) || !EventPattern.TryParse(channel[root.Length..], out var name) || !name.IsExact)
        {
            return null;
        }

        foreach (var pattern in subscription.Patterns)
        {
            if (pattern.Matches(name.Text))
            {
                // The first that matches takes it.
                return ChannelOf(pattern) == listenedTo ? name.Text : null;
            }
        }

        return null;
    }

    private RedisChannel ChannelOf(EventPattern pattern) => pattern.IsExact
        ? RedisChannel.Literal(root + pattern.Text)
        : RedisChannel.Pattern(root + GlobOf(pattern.Text));

    /// <summary>A glob that matches at least what a pattern does: its * also matches dots, and nothing at all.</summary>
    private static string GlobOf(string pattern) => pattern.Replace(".#", "*", StringComparison.Ordinal).Replace("#.", "*", StringComparison.Ordinal).Replace('#', '*');
}
