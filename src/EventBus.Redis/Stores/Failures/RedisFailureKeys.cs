using StackExchange.Redis;

namespace EventBus;

/// <summary>Provides the keys of the failure store, in the order that its scripts expect.</summary>
internal sealed class RedisFailureKeys(RedisStoreLink link)
{
    // RedisFailureLua uses the same order: states, events, bodies, errors, counters, lines, parked, deferred,
    // positions, orders, orders_by_age, due, dead, dead_by_age, alerts, starts, attempts_by_age, names; then last_claim
    // and large.
    private readonly string[] names =
    [
        "failed:state",
        "failed:event",
        "failed:body",
        "failed:errors",
        "counters",
        "lines",
        "lines:parked",
        "orders:deferred",
        "orders:positions",
        "orders",
        "orders:touched",
        "due", "dead", "dead:last", "alerts", "starts", "starts:counted", "subscriptions",
    ];

    private readonly string instance = Guid.NewGuid().ToString("N");
    private RedisKey[]? shared;

    public RedisKey States => All[0];

    public RedisKey Orders => All[9];

    public RedisKey Due => All[11];

    public RedisKey Dead => All[12];

    public RedisKey DeadByAge => All[13];

    public RedisKey Subscriptions => All[17];

    /// <summary>Gets the key of the sizes of large bodies that could not be read.</summary>
    public RedisKey Large => link.Key("dead:large");

    /// <summary>Gets the keys for reading dead letters.</summary>
    public RedisKey[] Load => [Dead, .. All[..4]];

    /// <summary>
    /// Gets the position of the first subscription key in KEYS, counted from 1 as in Lua. Each subscription has two
    /// keys.
    /// </summary>
    public int FirstOfSubscriptions => All.Length + 1;

    private RedisKey[] All => shared ??= [.. names.Select(link.Key), link.Key($"handout:{instance}"), Large];

    /// <summary>Gets the keys for a script that concerns some subscriptions.</summary>
    public RedisKey[] For(params IEnumerable<string> subscriptions) =>
        [.. All, .. subscriptions.SelectMany(name => new[] { link.Key($"due:of:{name}"), DeadOf(name) })];

    /// <summary>Gets the keys for a script that concerns one entry.</summary>
    public RedisKey[] ForEntry(string id) => For(RedisFailureFormat.Split(id).Subscription);

    // The part "of" is needed because a subscription may have the name of an index, for example "last" (dead:last).
    public RedisKey DeadOf(string subscription) => link.Key($"dead:of:{subscription}");

    /// <summary>
    /// Returns the prefix of the members of a line or an order key in an index of all lines or keys. It contains the
    /// length of the key, so that no prefix is the beginning of another prefix.
    /// </summary>
    public static string Prefix(string subscription, string key) => $"{subscription}~{key.Length}~{key}~";
}
