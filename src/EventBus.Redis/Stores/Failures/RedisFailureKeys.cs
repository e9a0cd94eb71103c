using StackExchange.Redis;

namespace EventBus;

/// <summary>Provides the keys of the failure store, and the Lua variables by which its scripts name them.</summary>
internal sealed class RedisFailureKeys(RedisStoreLink link)
{
    /// <summary>
    /// The Lua code that checks the types of the keys, and assigns them to variables. From <c>PAIRS</c> on there are
    /// two keys for each subscription: its due entries, and its dead letters.
    /// </summary>
    public const string Prelude = Types + RedisKeyTypes.Check + Variables;

    // Keys without a type in the table are sorted sets (RedisKeyTypes).
    private const string Types = """
        local types = { 'hash', 'hash', 'hash', 'hash', 'hash', [10] = 'hash', [16] = 'hash', [18] = 'set', [19] = 'string' }
        types[20], types[21] = 'hash', 'hash'
        """;

    private const string Variables = """
        local call = redis.call
        local states, events, bodies, errors, counters = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
        local lines, parked, deferred, positions = KEYS[6], KEYS[7], KEYS[8], KEYS[9]
        local orders, orders_by_age, due, dead, dead_by_age, alerts = KEYS[10], KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
        local starts, attempts_by_age, subscriptions, last_claim, large = KEYS[16], KEYS[17], KEYS[18], KEYS[19], KEYS[20]
        local counts = KEYS[21]
        local PAIRS = 22
        local due_of_subscription, dead_of_subscription = KEYS[22], KEYS[23]
        """;

    // The names of the keys 1 to 18, in the order of the variables.
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
        "due",
        "dead",
        "dead:last",
        "alerts",
        "starts",
        "starts:counted",
        "subscriptions",
    ];

    private readonly string instance = Guid.NewGuid().ToString("N");
    private RedisKey[]? all;

    public RedisKey States => All[0];

    public RedisKey Orders => All[9];

    public RedisKey Due => All[11];

    public RedisKey Dead => All[12];

    public RedisKey DeadByAge => All[13];

    public RedisKey Subscriptions => All[17];

    /// <summary>Gets the key of the sizes of large bodies that could not be read.</summary>
    public RedisKey Large => link.Key("dead:large");

    /// <summary>Gets the key of the numbers of entries of each subscription.</summary>
    public RedisKey Counts => link.Key("failed:counts");

    /// <summary>Gets the KEYS of <see cref="RedisDeadLetterQueries.Load"/>.</summary>
    public RedisKey[] Load => [Dead, .. All[..4]];

    /// <summary>
    /// Gets the position of the first subscription key in KEYS, counted from 1 as in Lua. Each subscription has two
    /// keys.
    /// </summary>
    public int FirstOfSubscriptions => All.Length + 1;

    // Key 19 remembers the last claim of this instance, to undo it if its reply is lost.
    private RedisKey[] All => all ??= [.. names.Select(link.Key), link.Key($"handout:{instance}"), Large, Counts];

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

    /// <summary>Reads the key from a prefix that <see cref="Prefix"/> has written.</summary>
    /// <exception cref="FormatException">The text is no such prefix.</exception>
    public static string KeyOf(string prefix)
    {
        // The subscription, the length of the key, and the key, each with a tilde after it.
        var lengthStart = prefix.IndexOf('~', StringComparison.Ordinal) + 1;
        var keyStart = lengthStart > 0 ? prefix.IndexOf('~', lengthStart) + 1 : 0;
        if (keyStart <= 0 || keyStart >= prefix.Length)
        {
            throw new FormatException($"'{prefix}' contains no key.");
        }

        return prefix[keyStart..^1];
    }
}
