namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the failure store that read the numbers of its entries. The scripts that change entries
/// keep the number of all entries of a subscription; the indexes know how many of them are dead, parked or deferred.
/// </summary>
internal static class RedisFailureCountScripts
{
    /// <summary>
    /// The greatest number of entries that are counted again in one script. Redis answers no other call meanwhile.
    /// </summary>
    public const int MaxRecounted = 100_000;

    /// <summary>
    /// Returns the subscriptions that have entries; nil if their numbers are not known. An earlier version of the
    /// library did not keep the numbers: they are then counted once. ARGV: <see cref="MaxRecounted"/>.
    /// </summary>
    public const string Subscriptions = RedisFailureLua.Prelude + """
        local sum = 0
        for _, n in ipairs(call('HVALS', counts)) do sum = sum + (tonumber(n) or 0) end
        local all = call('HLEN', states)
        if sum ~= all then
          if all > tonumber(ARGV[1]) then return false end
          call('DEL', counts)
          for _, id in ipairs(call('HKEYS', states)) do count(id, 1) end
        end
        return call('HKEYS', counts)
        """;

    /// <summary>
    /// Returns for each subscription: its number of entries, of parked and deferred ones and of dead letters, and the
    /// earliest due time. ARGV: the subscriptions, in the order of their keys.
    /// </summary>
    public const string Read = RedisFailureLua.Prelude + """
        local rows = {}
        for i, subscription in ipairs(ARGV) do
          -- The members of these indexes begin with the subscription and a tilde.
          local from, to = '[' .. subscription .. '~', '(' .. subscription .. '\127'
          local k = PAIRS + 2 * (i - 1)

          -- A score of 0 means that the entry may be claimed at once.
          local first = call('ZRANGE', KEYS[k], '(0', '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
          rows[i] = {
            tonumber(call('HGET', counts, subscription)) or 0,
            call('ZLEXCOUNT', parked, from, to),
            call('ZLEXCOUNT', deferred, from, to),
            call('ZCARD', KEYS[k + 1]),
            first or false,
          }
        end
        return rows
        """;
}
