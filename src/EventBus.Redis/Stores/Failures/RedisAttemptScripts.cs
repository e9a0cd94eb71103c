namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the failure store that count attempts, and that remove old counts and order keys.
/// </summary>
internal static class RedisAttemptScripts
{
    /// <summary>
    /// Counts attempts. ARGV: id, now, token of the call, and the numbers of attempts and of concurrent attempts to
    /// add. Returns both counts; null if the event is stored as an entry. The hash <c>starts</c> holds <c>attempts
    /// token concurrent</c>. The first attempt is not stored, so an event without a value has had one attempt.
    /// </summary>
    public const string CountAttempts = RedisFailureLua.Prelude + """
        local id, now, token = ARGV[1], ARGV[2], ARGV[3]
        local added, added_concurrent = tonumber(ARGV[4]), tonumber(ARGV[5])
        if call('HEXISTS', states, id) == 1 then return false end
        local stored, last_token, stored_concurrent = string.match(call('HGET', starts, id) or '', '^(%d+) (%S+) ?(%d*)$')
        local attempts, concurrent = tonumber(stored) or 1, tonumber(stored_concurrent) or 0

        -- The repeat of a call whose reply was lost adds nothing.
        local is_repeat = last_token == token
        if not is_repeat and (added > 0 or (stored and added_concurrent > 0)) then
          attempts = attempts + added
          concurrent = concurrent + added_concurrent
          call('HSET', starts, id, string.format('%.0f %s %.0f', attempts, token, concurrent))
          call('ZADD', attempts_by_age, now, id)
        end
        return { attempts, concurrent }
        """;

    /// <summary>Removes the attempt count of an event. ARGV: id.</summary>
    public const string ForgetAttempts = RedisFailureLua.Prelude + """
        call('HDEL', starts, ARGV[1])
        call('ZREM', attempts_by_age, ARGV[1])
        """;

    /// <summary>
    /// Removes old attempt counts and order keys. ARGV: the times before which attempt counts and order keys are old,
    /// and the maximum number of each. An order key with deferred entries is kept, and its time of change is set to
    /// that time, so that it is checked again later.
    /// </summary>
    public const string Sweep = RedisFailureLua.Prelude + """
        for _, id in ipairs(call('ZRANGE', attempts_by_age, '-inf', '(' .. ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3])) do
          call('HDEL', starts, id)
          call('ZREM', attempts_by_age, id)
        end
        for _, order in ipairs(call('ZRANGE', orders_by_age, '-inf', '(' .. ARGV[2], 'BYSCORE', 'LIMIT', 0, ARGV[3])) do
          if call('ZLEXCOUNT', deferred, '[' .. order, '(' .. order .. ':') > 0 then
            call('ZADD', orders_by_age, ARGV[2], order)
          else
            call('HDEL', orders, order)
            call('ZREM', orders_by_age, order)
          end
        end
        """;
}
