using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Builds the names of streams, groups, consumers and related keys.</summary>
/// <remarks>
/// The prefix is a hash tag. In a cluster all streams are in one slot, so one read can wait for several streams and one
/// transaction can write to several.
/// </remarks>
internal sealed class RedisTopology(RedisOptions options, TransportTopology topology)
{
    private readonly string root = $"{{{options.KeyPrefix}}}:";

    /// <summary>The address of Redis, for errors. Default: unknown.</summary>
    public RedisAddress Address { get; init; } = RedisAddress.Unknown;

    public TimeProvider Time => topology.TimeProvider;

    /// <summary>The CloudEvents <c>source</c> of events that this application publishes.</summary>
    public string Source => topology.ServiceName;

    public RedisKey StreamOf(string eventName) => root + FirstWord(eventName);

    public string GroupOf(Subscription subscription) => GroupOf(subscription.Name);

    // Unambiguous: both names may contain dots, hyphens and underscores, but no colon.
    public string GroupOf(string subscription) => $"{topology.ServiceName}:{subscription}";

    /// <summary>
    /// Returns instructions to remove a group that is no longer used: a call in the application to which the group
    /// belongs, or Redis commands if that application is gone. The first command removes the group from the set of
    /// groups that read every stream, because a group in that set prevents the trimming of all streams, even of those
    /// where it does not exist. The last one deletes its recorded position.
    /// </summary>
    public string RemovalOf(string group, string stream) => group.StartsWith($"{topology.ServiceName}:", StringComparison.Ordinal)
        ? $"ISubscriptionManager.RetireAsync(\"{group[(topology.ServiceName.Length + 1)..]}\")"
        : $"ISubscriptionManager.RetireAsync in the application that it belongs to; if that is gone, SREM {OpenGroups} {group}, XGROUP "
            + $"DESTROY {stream} {group} and HDEL {PositionsOf(stream)} {group} (a group of a wildcard is in all streams)";

    // The following keys contain a colon after the root. The first word of an event name contains none, so none of them
    // can be a stream of events.

    /// <summary>Gets the key of the lease of an ordered group.</summary>
    public RedisKey LeaseOf(string group) => $"{root}lease:{group}";

    /// <summary>Gets the key of the last number that was used for the fencing token of a lease.</summary>
    public RedisKey FenceOf(string group) => $"{root}fence:{group}";

    /// <summary>Gets the key of the recorded positions of all groups in a stream.</summary>
    public RedisKey PositionsOf(RedisKey stream) => $"{root}places:{WordOf(stream)}";

    /// <summary>Gets the key of the lock that an instance holds to trim a stream.</summary>
    public RedisKey TrimmerOf(RedisKey stream) => $"{root}trimmer:{WordOf(stream)}";

    /// <summary>
    /// Gets the key of the number of entries that were removed recently because no group reads the stream. The key
    /// expires when no more entries are removed.
    /// </summary>
    public RedisKey CutOf(RedisKey stream) => $"{root}cut:{WordOf(stream)}";

    /// <summary>
    /// True if a stream holds the library's own events (<c>saga.*</c>). No warnings are logged for such a stream.
    /// </summary>
    public bool IsOwn(RedisKey stream) => WordOf(stream) == "saga";

    /// <summary>True if a group belongs to this application, but to none of its current subscriptions.</summary>
    public bool IsLeftBehind(string group) => group.StartsWith($"{topology.ServiceName}:", StringComparison.Ordinal)
        && !topology.Subscriptions.Any(subscription => GroupOf(subscription) == group);

    /// <summary>True if a group belongs to a subscription of this instance.</summary>
    public bool IsUsed(string group) => topology.Subscriptions.Any(subscription => GroupOf(subscription) == group);

    /// <summary>
    /// Gets the key of a set: the first words of all streams that an application of this library has written or
    /// subscribed to. Other programs that write to streams do not add theirs.
    /// </summary>
    public RedisKey KnownWords => root + "known:streams";

    /// <summary>Gets the key of the set of the groups of all open subscriptions (<see cref="IsOpen"/>).</summary>
    public RedisKey OpenGroups => root + "open:groups";

    /// <summary>Gets a glob that matches the keys of all streams, including unknown ones.</summary>
    public string AnyStream => root + "*";

    /// <summary>Creates a consumer name that is unique across processes and receivers.</summary>
    public static string NewConsumer() => $"{Environment.MachineName}-{Environment.ProcessId}-{Guid.NewGuid():N}";

    public RedisKey StreamOfWord(string word) => root + word;

    /// <summary>True if a key has the form of a stream of events.</summary>
    public bool IsStream(RedisKey key) => EventPattern.TryParse(WordOf(key), out var word) && word.IsExact;

    /// <summary>
    /// True if a subscription is open: one of its patterns begins with a wildcard, so it reads every stream, also those
    /// that are not yet known.
    /// </summary>
    public static bool IsOpen(Subscription subscription) => subscription.Patterns.Any(pattern => IsWildcard(FirstWord(pattern.Text)));

    /// <summary>Gets the part of a stream's key after the prefix: the first word of the names of its events.</summary>
    public string WordOf(RedisKey stream) => ((string)stream!)[root.Length..];

    /// <summary>
    /// Gets the event name of entries without a valid event name. Every subscription that reads the stream receives
    /// them.
    /// </summary>
    public string UnreadableNameOf(RedisKey stream) => $"{WordOf(stream)}.unreadable";

    /// <summary>
    /// Gets the event id of an entry that has none. It is unique while the stream exists, and equal for all
    /// subscriptions and deliveries.
    /// </summary>
    public string EntryIdOf(RedisKey stream, RedisValue id) => $"{WordOf(stream)}/{id}";

    /// <summary>Gets the streams that a subscription reads from the start.</summary>
    /// <remarks>
    /// A pattern that begins with a wildcard reads every stream that this application knows from its declared events
    /// and its other patterns. <see cref="RedisStreamCatalog"/> finds the other streams.
    /// </remarks>
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

    private static string FirstWord(string name)
    {
        var dot = name.IndexOf('.', StringComparison.Ordinal);
        return dot >= 0 ? name[..dot] : name;
    }

    private static bool IsWildcard(string word) => word is "*" or "#";
}
