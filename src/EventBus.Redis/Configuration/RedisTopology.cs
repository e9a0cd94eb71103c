using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>The names of streams, groups and consumers.</summary>
/// <remarks>The prefix is a hash tag: in a cluster all streams share a slot, so that one read waits on several streams and one transaction writes to several.</remarks>
internal sealed class RedisTopology(RedisOptions options, TransportTopology topology)
{
    private readonly string root = $"{{{options.KeyPrefix}}}:";

    public TimeProvider Time => topology.TimeProvider;

    /// <summary>The CloudEvents <c>source</c> of what this application publishes.</summary>
    public string Source => topology.ServiceName;

    public RedisKey StreamOf(string eventName) => root + FirstWord(eventName);

    public string GroupOf(Subscription subscription) => GroupOf(subscription.Name);

    // Neither part holds a colon, and both may hold dots, hyphens and underscores: two pairs never make one name.
    public string GroupOf(string subscription) => $"{topology.ServiceName}:{subscription}";

    /// <summary>How a group that nobody uses is removed: by the application whose name it begins with, or by hand, together with the note of its place. First of all from the groups that read every stream: one of these holds all streams, also without a group.</summary>
    public string RemovalOf(string group, string stream) => group.StartsWith($"{topology.ServiceName}:", StringComparison.Ordinal)
        ? $"RetireSubscriptionAsync(\"{group[(topology.ServiceName.Length + 1)..]}\")"
        : $"RetireSubscriptionAsync in the application that it belongs to; if that is gone, SREM {OpenGroups} {group}, XGROUP DESTROY {stream} {group} and HDEL {PlacesOf(stream)} {group} (a group of a wildcard is in all streams)";

    // No first word of an event has a colon in it: none of these is ever a stream of events.
    public RedisKey LeaseOf(string group) => $"{root}lease:{group}";

    /// <summary>Where the last number of a lease is kept.</summary>
    public RedisKey FenceOf(string group) => $"{root}fence:{group}";

    /// <summary>Where it is written down how far each group is in a stream.</summary>
    public RedisKey PlacesOf(RedisKey stream) => $"{root}places:{WordOf(stream)}";

    /// <summary>Whoever has it trims a stream.</summary>
    public RedisKey TrimmerOf(RedisKey stream) => $"{root}trimmer:{WordOf(stream)}";

    /// <summary>How many entries were cut off a stream lately because no group reads it. It expires when nothing more is cut off.</summary>
    public RedisKey CutOf(RedisKey stream) => $"{root}cut:{WordOf(stream)}";

    /// <summary>Whether a stream holds the library's own events: nobody is warned of those.</summary>
    public bool IsOwn(RedisKey stream) => WordOf(stream) == "saga";

    /// <summary>Whether a group belongs to this application, and none of its subscriptions uses it any more.</summary>
    public bool IsLeftBehind(string group) => group.StartsWith($"{topology.ServiceName}:", StringComparison.Ordinal) && !topology.Subscriptions.Any(subscription => GroupOf(subscription) == group);

    /// <summary>Whether a group is that of a subscription of this instance.</summary>
    public bool IsUsed(string group) => topology.Subscriptions.Any(subscription => GroupOf(subscription) == group);

    /// <summary>The first words of all streams that an application has written or subscribed to. Other programs do not enter theirs.</summary>
    public RedisKey KnownWords => root + "known:streams";

    /// <summary>The groups of the subscriptions that read every stream there is.</summary>
    public RedisKey OpenGroups => root + "open:groups";

    /// <summary>Matches the keys of all streams, known here or not.</summary>
    public string AnyStream => root + "*";

    /// <summary>A name that no other process and no other receiver ever had.</summary>
    public static string NewConsumer() => $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid():N}";

    public RedisKey StreamOfWord(string word) => root + word;

    /// <summary>Whether a key can be a stream of events.</summary>
    public bool IsStream(RedisKey key) => EventPattern.TryParse(WordOf(key), out var word) && word.IsExact;

    /// <summary>Whether a subscription reads streams that nobody knows yet: a pattern begins with a wildcard.</summary>
    public static bool IsOpen(Subscription subscription) => subscription.Patterns.Any(pattern => IsWildcard(FirstWord(pattern.Text)));

    /// <summary>The stream's own part of its key: the first word of the events in it.</summary>
    public string WordOf(RedisKey stream) => ((string)stream!)[root.Length..];

    /// <summary>The streams that a subscription reads from the start.</summary>
    /// <remarks>A pattern that begins with a wildcard reads every stream that this application knows by its declared events and its other patterns; <see cref="RedisStreamCatalog"/> finds the others.</remarks>
    public RedisKey[] StreamsOf(Subscription subscription)
    {
        var words = subscription.Patterns.Select(pattern => FirstWord(pattern.Text));
        if (words.Any(IsWildcard))
        {
            var others = topology.Subscriptions.SelectMany(other => other.Patterns).Select(pattern => FirstWord(pattern.Text));
            words = words.Concat(others).Concat(topology.EventNames.Select(FirstWord)).Where(word => !IsWildcard(word));
        }

        return [.. words.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(word => (RedisKey)(root + word))];
    }

    private static string FirstWord(string name) => name.IndexOf('.', StringComparison.Ordinal) is >= 0 and var dot ? name[..dot] : name;

    private static bool IsWildcard(string word) => word is "*" or "#";
}
