using StackExchange.Redis;

namespace EventBus;

/// <summary>The keys of the failure store, in the order in which its scripts take them.</summary>
internal sealed class RedisFailureKeys(RedisStoreLink link)
{
    // As RedisFailureLua names them: states, events, bodies, errors, counters, lines, parked, deferred, positions, orders, touched, due, dead, dying, alerts, starts, counted, names; then handout and large.
    private readonly string[] names =
    [
        "failed:state", "failed:event", "failed:body", "failed:errors", "counters", "lines", "lines:parked", "orders:deferred", "orders:positions", "orders", "orders:touched",
        "due", "dead", "dead:last", "alerts", "starts", "starts:counted", "subscriptions",
    ];

    private readonly string instance = Guid.NewGuid().ToString("N");
    private RedisKey[]? shared;

    public RedisKey States => All[0];

    public RedisKey Orders => All[9];

    public RedisKey Due => All[11];

    public RedisKey Dead => All[12];

    public RedisKey Dying => All[13];

    public RedisKey Subscriptions => All[17];

    /// <summary>The sizes of large bodies that could not be read.</summary>
    public RedisKey Large => link.Key("dead:large");

    /// <summary>Everything of the dead letters themselves.</summary>
    public RedisKey[] Load => [Dead, .. All[..4]];

    /// <summary>Where the keys of the subscriptions begin, two for each, counted from 1 as scripts do.</summary>
    public int FirstOfSubscriptions => All.Length + 1;

    private RedisKey[] All => shared ??= [.. names.Select(link.Key), link.Key($"handout:{instance}"), Large];

    /// <summary>The keys for a step that concerns some subscriptions.</summary>
    public RedisKey[] For(params IEnumerable<string> subscriptions) => [.. All, .. subscriptions.SelectMany(name => new[] { link.Key($"due:of:{name}"), DeadOf(name) })];

    /// <summary>The keys for a step that concerns one entry.</summary>
    public RedisKey[] ForEntry(string id) => For(RedisFailureFormat.Split(id).Subscription);

    // With a part between, as a subscription may have the name of an index (dead:last).
    public RedisKey DeadOf(string subscription) => link.Key($"dead:of:{subscription}");

    /// <summary>Where the members of a line or an order key begin in an index of all of them: the length keeps one key from being the beginning of another.</summary>
    public static string Prefix(string subscription, string key) => $"{subscription}~{key.Length}~{key}~";
}
