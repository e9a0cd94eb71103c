using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Builds the names of channels, and the patterns that match several of them.</summary>
/// <remarks>The names need no hash tag: a cluster forwards each published message to all of its nodes.</remarks>
internal sealed class RedisPubSubTopology(RedisPubSubOptions options, TransportTopology topology, RedisAddress address)
{
    private readonly string root = $"{options.KeyPrefix}:";

    /// <summary>The address of Redis, for log entries and errors.</summary>
    public RedisAddress Address => address;

    public TimeProvider Time => topology.TimeProvider;

    /// <summary>The CloudEvents <c>source</c> of events that this application publishes.</summary>
    public string Source => topology.ServiceName;

    public RedisChannel ChannelOf(string eventName) => RedisChannel.Literal(root + eventName);

    /// <summary>
    /// Gets the distinct channels and patterns of a subscription. They may match more than its event patterns, because
    /// a glob does not separate words: <see cref="AcceptedNameOf"/> filters the messages.
    /// </summary>
    public RedisChannel[] ChannelsOf(Subscription subscription) => [.. subscription.Patterns.Select(ChannelOf).Distinct()];

    /// <summary>
    /// Returns the name of the event if the subscription accepts the message. Returns null if the event does not match
    /// the subscription, or if the subscription receives it through another of its channels too, and accepts it there.
    /// </summary>
    /// <param name="subscription">The subscription.</param>
    /// <param name="subscribedChannel">The channel or pattern through which the message arrived.</param>
    /// <param name="channel">The channel to which the message was published.</param>
    public string? AcceptedNameOf(Subscription subscription, RedisChannel subscribedChannel, string channel)
    {
        // A glob also matches channels of a longer prefix (KeyPrefix), and channels whose name is no event name.
        if (!channel.StartsWith(root, StringComparison.Ordinal)
            || !EventPattern.TryParse(channel[root.Length..], out var name)
            || !name.IsExact)
        {
            return null;
        }

        foreach (var pattern in subscription.Patterns)
        {
            if (pattern.Matches(name.Text))
            {
                // If several patterns match, Redis delivers the event for each of them. It is accepted for the first.
                return ChannelOf(pattern) == subscribedChannel ? name.Text : null;
            }
        }

        return null;
    }

    private RedisChannel ChannelOf(EventPattern pattern) => pattern.IsExact
        ? RedisChannel.Literal(root + pattern.Text)
        : RedisChannel.Pattern(root + GlobOf(pattern.Text));

    /// <summary>
    /// Converts an event pattern to a glob that matches at least the same names. The glob's * also matches dots and the
    /// empty string.
    /// </summary>
    private static string GlobOf(string pattern) =>
        pattern.Replace(".#", "*", StringComparison.Ordinal).Replace("#.", "*", StringComparison.Ordinal).Replace('#', '*');
}
