namespace EventBus;

/// <summary>Contains the script that inspects a stream and its groups and trims the stream, atomically.</summary>
internal static class RedisTrimScript
{
    // KEYS: 1 the stream, 2 the lock of the trimmer, 3 the recorded positions of groups in the stream, 4 the set of
    // open groups, which read every stream, 5 the number of entries that were cut off recently because no group reads
    // the stream.
    // ARGV: 1 the id of this trimmer, 2 the expiry of the lock in ms, 3 the time in ms after which a group counts as
    // idle, 4 whether to trim (1 or 0), 5 the maximum length (0: none), 6 the maximum length while no group reads the
    // stream (0: none), 7 the time in ms after which a consumer counts as inactive, 8 the expiry of KEYS[5] in ms.
    // Returns five values: the idle groups, in which events wait; pairs of a group and the number of events that it
    // lost to the maximum length; 1 if there may be more to remove; the inactive groups, which have no active consumer;
    // and, for a stream that no group reads, its length and the number in KEYS[5].
    public const string Text = """
        local types = { 'stream', 'string', 'hash', 'set', 'string' }
        """ + RedisKeyTypes.Check + """
        local stream, recorded_positions, open_groups, cut_off = KEYS[1], KEYS[3], KEYS[4], KEYS[5]
        local idle_after, should_trim, max_length = tonumber(ARGV[3]), ARGV[4] == '1', tonumber(ARGV[5])
        local max_unread_length, inactive_after, cut_off_expiry = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
        if redis.call('EXISTS', stream) == 0 then
          redis.call('DEL', cut_off)
          return {{}, {}, 0, {}, {}}
        end

        -- Compares two decimal numbers as texts: a number of Lua is too short for them.
        local function is_less(a, b)
          if #a ~= #b then
            return #a < #b
          end
          return a < b
        end

        -- True if the first of two ids is before the second one.
        local function is_before(id, other_id)
          local ms, number = string.match(id, '(%d+)-(%d+)')
          local other_ms, other_number = string.match(other_id, '(%d+)-(%d+)')
          if ms == other_ms then
            return is_less(number, other_number)
          end
          return is_less(ms, other_ms)
        end

        local time = redis.call('TIME')
        local now_in_ms = time[1] * 1000 + math.floor(time[2] / 1000)
        local holder = redis.call('GET', KEYS[2])
        if not holder then
          -- At its memory limit Redis lets a script continue writing once it has written. This script frees memory.
          redis.call('DEL', KEYS[2])
          redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
        end
        local is_trimmer = not holder or holder == ARGV[1]

        -- For each group: the last delivered entry (last), the first entry that must be kept (keep_from), the first
        -- unhandled entry (unhandled; false or nil for none), and the time since one of its consumers was last active
        -- (idle_time; nil if it has no consumer).
        local groups, names = {}, {}
        local function add(name, last, pending, idle_time)
          local unhandled = pending
          if not unhandled then
            local next = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1)
            unhandled = next[1] and next[1][1]
          end
          groups[#groups + 1] =
            {name = name, last = last, keep_from = pending or last, unhandled = unhandled, idle_time = idle_time}
          names[name] = true
        end

        for _, each in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
          local info = {}
          for i = 1, #each, 2 do
            info[each[i]] = each[i + 1]
          end
          local idle_time
          for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', stream, info['name'])) do
            for i = 1, #consumer, 2 do
              if consumer[i] == 'idle' and (not idle_time or consumer[i + 1] < idle_time) then
                idle_time = consumer[i + 1]
              end
            end
          end
          local pending = info['pending'] > 0 and redis.call('XPENDING', stream, info['name'])[2]
          add(info['name'], info['last-delivered-id'], pending, idle_time)
        end

        -- A group that was destroyed, but not retired, is created again at its recorded position: an id, with an
        -- opening parenthesis if that entry was pending. An open group without a recorded position is created at the
        -- beginning of the stream.
        local recorded = redis.call('HGETALL', recorded_positions)
        for i = 1, #recorded, 2 do
          local name, position = recorded[i], recorded[i + 1]
          if not names[name] then
            local last = string.match(position, '%d+%-%d+') or '0-0'
            local pending = string.match(position, '%((.*)')
            add(name, last, pending)
          end
        end
        for _, name in ipairs(redis.call('SMEMBERS', open_groups)) do
          if not names[name] then
            add(name, '0-0')
          end
        end

        local idle_groups, inactive_groups, keep_from = {}, {}, nil
        for _, group in ipairs(groups) do
          if not group.idle_time or group.idle_time > inactive_after then
            inactive_groups[#inactive_groups + 1] = group.name
          end
          -- The first part of an id is the time at which the entry was added.
          local waits_long = group.unhandled and now_in_ms - tonumber(string.match(group.unhandled, '%d+')) > idle_after
          if waits_long and (not group.idle_time or group.idle_time > idle_after) then
            idle_groups[#idle_groups + 1] = group.name
          end
          if not keep_from or is_before(group.keep_from, keep_from) then
            keep_from = group.keep_from
          end
        end

        -- Redis removes a limited number of entries for each call. If it has removed any, there may be more to remove.
        local more = 0
        if is_trimmer and should_trim and keep_from and redis.call('XTRIM', stream, 'MINID', '~', keep_from) > 0 then
          more = 1
        end

        -- No group reads the stream, and no group has a recorded position in it.
        local unread_state = {}
        if #groups == 0 and should_trim and max_unread_length > 0 then
          local cut = 0
          if is_trimmer and redis.call('XLEN', stream) > max_unread_length then
            -- First whole nodes of the stream, a limited number for each call. Then the rest, which is less than a
            -- node.
            cut = redis.call('XTRIM', stream, 'MAXLEN', '~', ARGV[6])
            if cut > 0 then
              more = 1
            else
              cut = redis.call('XTRIM', stream, 'MAXLEN', '=', ARGV[6])
            end
          end
          if cut > 0 then
            redis.call('INCRBY', cut_off, cut)
            redis.call('PEXPIRE', cut_off, cut_off_expiry)
          end
          unread_state = {redis.call('XLEN', stream), tonumber(redis.call('GET', cut_off) or 0)}
        elseif is_trimmer and #groups > 0 then
          redis.call('DEL', cut_off)
        end

        local lost = {}
        local excess = redis.call('XLEN', stream) - max_length
        if is_trimmer and max_length > 0 and excess > 0 then
          -- At most 100 entries for each call, because the script loads them into memory.
          local removed = math.min(excess, 100)
          local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', removed + 1)
          for _, group in ipairs(groups) do
            local count = 0
            for i = 1, removed do
              if is_before(group.last, entries[i][1]) then
                count = count + 1
              end
            end
            if count > 0 then
              lost[#lost + 1] = group.name
              lost[#lost + 1] = count
            end
          end
          redis.call('XTRIM', stream, 'MINID', '=', entries[removed + 1][1])
          if excess > removed then
            more = 1
          end
        end
        return {idle_groups, lost, more, inactive_groups, unread_state}
        """;
}
