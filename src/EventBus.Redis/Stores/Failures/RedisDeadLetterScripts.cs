namespace EventBus;

/// <summary>
/// Contains the Lua scripts of the failure store for dead letters, alerts, order keys and attempt counts.
/// </summary>
internal static class RedisDeadLetterScripts
{
    /// <summary>Makes a dead letter due. ARGV: id, now. Returns 1 if the dead letter exists, otherwise 0.</summary>
    public const string RetryDead = RedisFailureLua.Prelude + """
        local id, now = ARGV[1], ARGV[2]
        local s = dead_letter_of(id)
        if not s then return 0 end
        remove_from_indexes(id, s)

        -- The order guard no longer waits for the events before this entry. If no entry of the key has a lower rank, the
        -- sequence continues without them: the rank of the key is raised to the one before that of the entry.
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
    /// Reads the next page of an index of dead letters, the highest number first. KEYS: index, states. ARGV: upper
    /// bound of the number, maximum number of rows. Returns for each dead letter: id, number, state.
    /// </summary>
    public const string PageDescending = """
        local page, rows = redis.call('ZRANGE', KEYS[1], ARGV[1], '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2], 'WITHSCORES'), {}
        for i = 1, #page, 2 do
          rows[#rows + 1] = { page[i], page[i + 1], redis.call('HGET', KEYS[2], page[i]) }
        end
        return rows
        """;

    /// <summary>
    /// Reads the next page of an index of dead letters, the lowest number first. KEYS: index, states. ARGV: lower and
    /// upper bound of the number, maximum number of rows. Returns for each dead letter: id, number, state.
    /// </summary>
    public const string PageAscending = """
        local page, rows = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2], 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES'), {}
        for i = 1, #page, 2 do
          rows[#rows + 1] = { page[i], page[i + 1], redis.call('HGET', KEYS[2], page[i]) }
        end
        return rows
        """;

    /// <summary>
    /// Adds up the sizes of the bodies in the hash <c>large</c>: those of more than 64 KB that could not be read. KEYS:
    /// large. ARGV: prefix of the ids, and the size above which a body counts.
    /// </summary>
    public const string MeasureUnreadable = """
        local sizes, sum = redis.call('HGETALL', KEYS[1]), 0
        for i = 1, #sizes, 2 do
          local size = tonumber(sizes[i + 1])
          if string.sub(sizes[i], 1, #ARGV[1]) == ARGV[1] and size and size > tonumber(ARGV[2]) then sum = sum + size end
        end
        return sum
        """;

    /// <summary>
    /// Reads all parts of some dead letters. KEYS: dead, states, events, bodies, errors. ARGV: ids. Returns for each id
    /// that is dead: id, number, state, event, body, errors.
    /// </summary>
    public const string Load = """
        local rows = {}
        for _, id in ipairs(ARGV) do
          local number = redis.call('ZSCORE', KEYS[1], id)
          local row = { id, number }
          for i = 2, 5 do
            row[#row + 1] = redis.call('HGET', KEYS[i], id)
          end
          if number and (row[3] or row[4] or row[5]) then rows[#rows + 1] = row end
        end
        return rows
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

    /// <summary>
    /// Records that an event of an order key was processed, and makes deferred entries of the key due. ARGV: order key,
    /// rank of the event or an empty string, now. Returns 1 if a deferred entry is due, otherwise 0.
    /// </summary>
    public const string Advance = RedisFailureLua.Prelude + """
        local order, rank_of_event, now = ARGV[1], ARGV[2], ARGV[3]
        local _, rank = order_of(order)
        if rank_of_event ~= '' and (not rank or rank < rank_of_event) then rank = rank_of_event end
        set_order(order, rank)
        call('ZADD', orders_by_age, now, order)

        -- Makes a deferred entry due, and returns true. Returns false for a claimed entry, which its owner evaluates
        -- again in any case, and for an entry that is no longer deferred.
        local function wake(found, id)
          local s = read(id)
          if s and s.held then return false end
          local is_stale = s and s.status ~= 'deferred'
          if is_stale or not exists(id) then
            call('ZREM', deferred, found)
            return false
          end
          if not s then
            -- Its state cannot be read. The claim rebuilds it.
            set_due(id, 0)
          elseif tonumber(s.due) > tonumber(now) then
            s.due = now
            write(id, s)
            schedule(id, s)
          end
          return true
        end

        -- The members of the index: the order key, then a hyphen (no rank) or the 20 digits of the rank, then a tilde
        -- and the id. Makes due all entries without a rank, and of the others the first one that is not claimed.
        local is_any_due = 0
        for _, found in ipairs(call('ZRANGE', deferred, '[' .. order .. '-', '(' .. order .. '.', 'BYLEX')) do
          if wake(found, string.sub(found, #order + 3)) then is_any_due = 1 end
        end
        for _, found in ipairs(call('ZRANGE', deferred, '[' .. order .. '0', '(' .. order .. ':', 'BYLEX')) do
          if wake(found, string.sub(found, #order + 22)) then
            is_any_due = 1
            break
          end
        end
        return is_any_due
        """;

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

    /// <summary>
    /// Reads the dead letters with the oldest failures. KEYS: dead_by_age, dead, states, events, bodies. ARGV: the time
    /// before which the last failure must be, maximum number. Returns for each dead letter: id, number, state, and
    /// event unless its body is missing.
    /// </summary>
    public const string Oldest = """
        local rows = {}
        for _, id in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', '(' .. ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])) do
          rows[#rows + 1] = {
            id,
            redis.call('ZSCORE', KEYS[2], id),
            redis.call('HGET', KEYS[3], id),
            redis.call('HEXISTS', KEYS[5], id) == 1 and redis.call('HGET', KEYS[4], id)
          }
        end
        return rows
        """;
}
