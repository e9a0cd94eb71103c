namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the lease of an ordered subscription (<see cref="RedisLease"/> describes its value).
/// </summary>
internal static class RedisLeaseScripts
{
    /// <summary>
    /// Takes the lease. KEYS: the lease, the last number. ARGV: the consumer, the expiry in ms. Returns the number and
    /// the tenure, or false if another consumer holds the lease. Numbers follow the server's clock, so that they
    /// increase even after Redis has lost all data.
    /// </summary>
    public const string Take = """
        local types = { 'string', 'string' }
        """ + RedisKeyTypes.Check + """
        local holder = redis.call('GET', KEYS[1])
        if holder and string.sub(holder, -#ARGV[1]) ~= ARGV[1] then
          return false
        end
        local now = redis.call('TIME')
        local now_in_us = now[1] * 1000000 + now[2]
        local last_number = tonumber(redis.call('GET', KEYS[2])) or 0
        local number = string.format('%.0f', math.max(last_number + 1, now_in_us))
        local tenure = ':' .. number .. ':' .. ARGV[1]
        if holder then
          tenure = string.match(holder, ':.*')
        end
        -- At its memory limit Redis lets a script continue writing once it has written. The new owner frees memory.
        redis.call('DEL', KEYS[1])
        redis.call('SET', KEYS[2], number)
        redis.call('SET', KEYS[1], number .. tenure, 'PX', ARGV[2])
        return {number, tenure}
        """;

    /// <summary>
    /// Renews the lease. KEYS: the lease. ARGV: the tenure, the expiry in ms. Returns 1 if the lease was renewed.
    /// </summary>
    public const string Renew = """
        local holder = redis.call('GET', KEYS[1])
        if holder and string.sub(holder, -#ARGV[1]) == ARGV[1] then
          return redis.call('PEXPIRE', KEYS[1], ARGV[2])
        end
        return 0
        """;

    /// <summary>
    /// Releases the lease in any tenure of the consumer. KEYS: the lease. ARGV: a colon and the consumer.
    /// </summary>
    public const string Release = """
        local holder = redis.call('GET', KEYS[1])
        if holder and string.sub(holder, -#ARGV[1]) == ARGV[1] then
          redis.call('DEL', KEYS[1])
        end
        """;
}
