namespace EventBus;

/// <summary>Contains the Lua scripts of the failure store that change dead letters and their alerts.</summary>
internal static class RedisDeadLetterScripts
{
    /// <summary>Makes a dead letter due. ARGV: id, now. Returns 1 if the dead letter exists, otherwise 0.</summary>
    public const string RetryDead = RedisFailureLua.Prelude + """
        local id, now = ARGV[1], ARGV[2]
        local s = dead_letter_of(id)
        if not s then return 0 end
        remove_from_indexes(id, s)

        -- The order guard no longer waits for the events before this entry. If no entry of the key has a lower rank,
        -- the sequence continues without them: the rank of the key is raised to the one before that of the entry.
        if s.reason == 'OutOfOrder' and s.order and s.rank and s.before then
          local lowest = call('ZRANGE', positions, '[' .. s.order, '(' .. s.order .. ':', 'BYLEX', 'LIMIT', 0, 1)[1]
          if lowest and string.sub(lowest, #s.order + 1, #s.order + #s.rank) >= s.rank then
            local _, rank = order_of(s.order)
            if not rank or rank < s.before then rank = s.before end
            set_order(s.order, rank)
            call('ZADD', orders_by_age, now, s.order)
          end
        end
        s.status = 'waiting'
        s.starts = 0
        s.accompanied = nil
        s.replays = s.replays + 1
        s.number = 0
        s.due = now
        for _, field in ipairs({ 'deadline', 'alert', 'held', 'interrupted', 'broken' }) do s[field] = nil end
        write(id, s)
        add_to_indexes(id, s)
        return 1
        """;

    /// <summary>
    /// Removes a dead letter. ARGV: id, and the time before which its last failure must be, or an empty string for any
    /// time. Returns 1 if it was removed, otherwise 0.
    /// </summary>
    public const string Discard = RedisFailureLua.Prelude + """
        local id, before = ARGV[1], tonumber(ARGV[2])
        if before then
          local s = read(id)
          if not s then return 0 end
          if tonumber(s.last) >= before then
            -- The index has an earlier time than the state, and is corrected.
            call('ZADD', dead_by_age, 'XX', s.last, id)
            return 0
          end
        end
        local s = dead_letter_of(id)
        if not s then return 0 end
        remove_entry(id, s)
        return 1
        """;

    /// <summary>
    /// Claims alerts. ARGV: now, end of the lease, maximum number. Returns the time at which the next alert is due,
    /// then for each alert: id, number, state.
    /// </summary>
    public const string ClaimAlerts = RedisFailureLua.Prelude + """
        local rows = { false }
        for _, id in ipairs(call('ZRANGE', alerts, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3])) do
          local number = call('ZSCORE', dead, id)
          if number and exists(id) then
            call('ZADD', alerts, ARGV[2], id)
            rows[#rows + 1] = { id, number, call('HGET', states, id) }
          else
            call('ZREM', alerts, id)
          end
        end
        rows[1] = call('ZRANGE', alerts, 0, 0, 'WITHSCORES')[2] or false
        return rows
        """;

    /// <summary>
    /// Marks alerts as sent, unless the entry has become a dead letter again with another number. ARGV: id and number
    /// of each alert.
    /// </summary>
    public const string MarkAlerted = RedisFailureLua.Prelude + """
        for i = 1, #ARGV, 2 do
          local id = ARGV[i]
          local current = call('ZSCORE', dead, id)
          if not current or tonumber(current) == tonumber(ARGV[i + 1]) then
            call('ZREM', alerts, id)
            local s = read(id)
            if s and s.alert then
              s.alert = nil
              write(id, s)
            end
          end
        end
        """;
}
