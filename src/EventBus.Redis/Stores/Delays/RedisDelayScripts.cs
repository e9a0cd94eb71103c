namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the store of delayed events. An event is a field of two hashes, and a member of two
/// sorted sets, each under its id.
/// </summary>
/// <remarks>
/// <c>events</c>: the hash of the attributes. <c>bodies</c>: the hash of the bodies. <c>due</c>: the sorted set by due
/// time. <c>turns</c>: the sorted set by turn, the time at which the event may be claimed: its due time until it is
/// claimed, then the end of the lease of the claim.
/// </remarks>
internal static class RedisDelayScripts
{
    /// <summary>Stores an event, unless its id is stored already. ARGV: id, due time, attributes, body.</summary>
    public const string Add = Prelude + """
        local id = ARGV[1]
        if redis.call('HEXISTS', events, id) == 0 then
          redis.call('HSET', bodies, id, ARGV[4])
          redis.call('HSET', events, id, ARGV[3])
          redis.call('ZADD', due, ARGV[2], id)
          redis.call('ZADD', turns, ARGV[2], id)
        end
        """;

    /// <summary>
    /// Claims due events. ARGV: now, end of the lease, maximum number. Returns the next turn, then for each event: id,
    /// attributes, body.
    /// </summary>
    public const string Claim = Prelude + """
        local now, lease_end, remaining = ARGV[1], ARGV[2], tonumber(ARGV[3])
        local MAX_BYTES = 4 * 1024 * 1024
        local rows, bytes, dropped = { false }, 0, 0

        -- Ids without an event are dropped. Due events may follow them, so the set is read again.
        repeat
          dropped = 0
          for _, id in ipairs(redis.call('ZRANGE', turns, '-inf', now, 'BYSCORE', 'LIMIT', 0, remaining)) do
            local event = redis.call('HGET', events, id)
            local body = redis.call('HGET', bodies, id)
            if event or body then
              redis.call('ZADD', turns, lease_end, id)
              rows[#rows + 1] = { id, event, body }
              bytes = bytes + #(body or '')
              remaining = remaining - 1

              -- Returns at least one event, but not so many that a slow connection needs longer than the lease. The
              -- rest stays due.
              if bytes >= MAX_BYTES then remaining = 0 end
              if remaining == 0 then break end
            else
              redis.call('ZREM', turns, id)
              redis.call('ZREM', due, id)
              dropped = dropped + 1
            end
          end
        until remaining == 0 or dropped == 0
        rows[1] = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')[2] or false
        return rows
        """;

    /// <summary>Removes an event. ARGV: id.</summary>
    public const string Remove = Prelude + """
        remove(ARGV[1])
        """;

    /// <summary>
    /// Lists events that were never claimed, by due time. ARGV: maximum number. Returns for each event: id, due time,
    /// attributes.
    /// </summary>
    public const string List = Prelude + """
        local rows, max = {}, tonumber(ARGV[1])
        local from, PAGE = 0, 100
        repeat
          local page = redis.call('ZRANGE', due, from, from + PAGE - 1, 'WITHSCORES')
          for i = 1, #page, 2 do
            local id, due_time = page[i], page[i + 1]
            local was_claimed = redis.call('ZSCORE', turns, id) ~= due_time
            if #rows < max and not was_claimed then
              rows[#rows + 1] = { id, due_time, redis.call('HGET', events, id) }
            end
          end
          from = from + PAGE
        until #page < 2 * PAGE or #rows == max
        return rows
        """;

    /// <summary>
    /// Removes an event that was never claimed, which is the case if its turn is still its due time. ARGV: id. Returns
    /// 1 if it was removed.
    /// </summary>
    public const string Cancel = Prelude + """
        local id = ARGV[1]
        local due_time = redis.call('ZSCORE', due, id)
        if not due_time or redis.call('ZSCORE', turns, id) ~= due_time then return 0 end
        remove(id)
        return 1
        """;

    // Keys without a type in the table are sorted sets (RedisKeyTypes).
    private const string Prelude = """
        local types = { 'hash', 'hash' }
        """ + RedisKeyTypes.Check + """
        local events, bodies, due, turns = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

        local function remove(id)
          redis.call('ZREM', turns, id)
          redis.call('ZREM', due, id)
          redis.call('HDEL', events, id)
          redis.call('HDEL', bodies, id)
        end

        """;
}
