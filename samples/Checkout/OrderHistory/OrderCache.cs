using System.Text.Json;
using StackExchange.Redis;

namespace Checkout;

/// <summary>
/// Caches the orders of a user in Redis, in the hash <c>user:{id}:orders</c>: a field for each order, with its version
/// and its row. Redis and SQLite have no common commit. Therefore each write carries the version of its order, and an
/// older one changes nothing.
/// </summary>
public sealed class OrderCache(IConnectionMultiplexer redis, string prefix)
{
    // The field that says whether the hash has all orders: "yes", or the token of the fill in progress.
    private const string State = "filled";
    private const string Filled = "yes";
    private const string FillLimit = "60"; // seconds; a fill that was interrupted leaves nothing behind
    private const string Lifetime = "3600"; // seconds

    #region put
    // Puts one order into the list of its user, unless it is there in this version or a newer one. The list of a user
    // who is not cached stays away: the next read fills it.
    private const string Put = """
        if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
        local cached = redis.call('HGET', KEYS[1], ARGV[1])
        if cached and tonumber(string.match(cached, '^%d+')) >= tonumber(ARGV[2]) then return 0 end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
        return 1
        """;
    #endregion

    #region fill
    // Before SQLite is read: announces a fill with a token. From here on, changes of orders are written into the hash.
    private const string BeginFill = """
        redis.call('HSET', KEYS[1], 'filled', ARGV[1])
        redis.call('EXPIRE', KEYS[1], ARGV[2])
        """;

    // After SQLite was read: adds the orders that the hash does not have in this version or a newer one. Without the
    // token the key was deleted in the meantime, and a change may be missing: then nothing is cached.
    private const string EndFill = """
        if redis.call('HGET', KEYS[1], 'filled') ~= ARGV[1] then return 0 end
        for i = 3, #ARGV, 3 do
            local cached = redis.call('HGET', KEYS[1], ARGV[i])
            if not cached or tonumber(string.match(cached, '^%d+')) < tonumber(ARGV[i + 1]) then
                redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2])
            end
        end
        redis.call('HSET', KEYS[1], 'filled', 'yes')
        redis.call('EXPIRE', KEYS[1], ARGV[2])
        return 1
        """;
    #endregion

    private readonly IDatabase database = redis.GetDatabase();

    /// <summary>Returns the cached orders of a user, newest first; null if they are not cached.</summary>
    public async Task<IReadOnlyList<OrderRow>?> FindAsync(string userId)
    {
        var fields = await database.HashGetAllAsync(Key(userId));
        return Array.Exists(fields, field => field.Name == State && field.Value == Filled)
            ? [.. fields.Where(field => field.Name != State).Select(field => Read(field.Value!)).OrderByDescending(order => order.PlacedAt)]
            : null;
    }

    /// <summary>Reads the orders of a user from their source, and caches them.</summary>
    public async Task<IReadOnlyList<OrderRow>> FillAsync(string userId, Func<Task<IReadOnlyList<OrderRow>>> read)
    {
        var token = $"{Guid.NewGuid():N}";
        await database.ScriptEvaluateAsync(BeginFill, [Key(userId)], [token, FillLimit]);
        var orders = await read();
        await database.ScriptEvaluateAsync(EndFill, [Key(userId)], [token, Lifetime, .. orders.SelectMany(Arguments)]);
        return orders;
    }

    /// <summary>Puts a new version of an order into the list of its user.</summary>
    /// <returns>False if nothing was changed.</returns>
    public async Task<bool> PutAsync(string userId, OrderRow order) =>
        (bool)await database.ScriptEvaluateAsync(Put, [Key(userId)], [.. Arguments(order)]);

    /// <summary>Deletes the list of a user. The next read fills it again.</summary>
    public Task DeleteAsync(string userId) => database.KeyDeleteAsync(Key(userId));

    private RedisKey Key(string userId) => $"{prefix}user:{userId}:orders";

    private static IEnumerable<RedisValue> Arguments(OrderRow order) =>
        [order.OrderId, order.Version, JsonSerializer.SerializeToUtf8Bytes(order, AppJson.Default.OrderRow)];

    // A field is a version, a space and a row.
    private static OrderRow Read(string field) =>
        JsonSerializer.Deserialize(field.AsSpan(field.IndexOf(' ', StringComparison.Ordinal) + 1), AppJson.Default.OrderRow)!;
}
