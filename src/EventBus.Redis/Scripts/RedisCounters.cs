namespace EventBus;

/// <summary>Contains the Lua code with which scripts count: numbers that only increase.</summary>
internal static class RedisCounters
{
    /// <summary>
    /// Defines <c>next_of(counter)</c>. Expects a local <c>counters</c>: the key of the hash of the counters.
    /// </summary>
    public const string NextOf = """

        -- A counter that was damaged by hand continues from the clock, which is ahead of every number that the counter
        -- has returned.
        local function next_of(counter)
          local n = redis.pcall('HINCRBY', counters, counter, 1)
          if type(n) ~= 'number' or n < 1 or n > 1e14 then
            n = tonumber(redis.call('TIME')[1]) * 1000
            redis.call('HSET', counters, counter, string.format('%.0f', n))
          end
          return n
        end

        """;
}
