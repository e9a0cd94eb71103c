namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the store of delayed events. Two hashes hold the attributes and the body under the
/// event's id. Two sorted sets hold the due time, and the turn: the due time, or the end of the lease of a claim.
/// </summary>
internal static class RedisDelayScripts
{
    /// <summary>Stores an event, unless its id is stored already. ARGV: id, due time, attributes, body.</summary>
    public const string Add = Keys + """
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
    public const string Claim = Keys + """
        local rows, room, dropped, bytes = { false }, tonumber(ARGV[3]), 0, 0
        local FULL = 4 * 1024 * 1024
        repeat
          dropped = 0
          for _, id in ipairs(redis.call('ZRANGE', turns, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, room)) do
            local event, body = redis.call('HGET', events, id), redis.call('HGET', bodies, id)
            if event or body then
              redis.call('ZADD', turns, ARGV[2], id)
              rows[#rows + 1] = { id, event, body }
              bytes = bytes + #(body or '')

              -- Returns at least one entry, but not so many that a slow connection needs longer than the lease. The
              -- rest stays due.
              room = bytes < FULL and room - 1 or 0
              if room == 0 then break end
            else
              redis.call('ZREM', turns, id)
              redis.call('ZREM', due, id)
              dropped = dropped + 1
            end
          end
        until room == 0 or dropped == 0
        rows[1] = redis.call('ZRANGE', turns, 0, 0, 'WITHSCORES')[2] or false
        return rows
        """;

    /// <summary>Removes an event. ARGV: id.</summary>
    public const string Remove = Keys + """
        for _, index in ipairs({ turns, due }) do redis.call('ZREM', index, ARGV[1]) end
        for _, hash in ipairs({ events, bodies }) do redis.call('HDEL', hash, ARGV[1]) end
        """;

    /// <summary>
    /// Lists events that were never claimed, by due time. ARGV: maximum number. Returns for each event: id, due time,
    /// attributes.
    /// </summary>
    public const string List = Keys + """
        local rows, max, from, PAGE = {}, tonumber(ARGV[1]), 0, 100
        repeat
          local page = redis.call('ZRANGE', due, from, from + PAGE - 1, 'WITHSCORES')
          for i = 1, #page, 2 do
            local id, at = page[i], page[i + 1]
            if #rows < max and redis.call('ZSCORE', turns, id) == at then
              rows[#rows + 1] = { id, at, redis.call('HGET', events, id) }
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
    public const string Cancel = Keys + """
        local id = ARGV[1]
        local at = redis.call('ZSCORE', due, id)
        if not at or redis.call('ZSCORE', turns, id) ~= at then return 0 end
        for _, index in ipairs({ turns, due }) do redis.call('ZREM', index, id) end
        for _, hash in ipairs({ events, bodies }) do redis.call('HDEL', hash, id) end
        return 1
        """;

    private const string Keys = """
        local types = { 'hash', 'hash' }
        """ + RedisKeyTypes.Check + """
        local events, bodies, due, turns = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

        """;
}
