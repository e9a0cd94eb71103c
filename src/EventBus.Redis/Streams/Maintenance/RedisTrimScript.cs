namespace EventBus;

/// <summary>Contains the script that inspects a stream and its groups and trims the stream, atomically.</summary>
internal static class RedisTrimScript
{
    // KEYS: 1 the stream, 2 the lock of the trimmer, 3 the recorded positions of groups in the stream, 4 the set of the
    // groups that read every stream, 5 the number of entries that were removed unread.
    // ARGV: 1 the id of the trimmer, 2 the expiry of the lock in ms, 3 the time in ms after which a group counts as
    // idle, 4 whether to trim (1 or 0), 5 the maximum length (0: none), 6 the maximum length while no group reads the
    // stream (0: none), 7 the time in ms after which a consumer counts as gone, 8 the expiry of KEYS[5] in ms.
    // Returns five values: the names of idle groups; pairs of a group and the number of events that it lost to the
    // maximum length; 1 if there may be more to remove; the groups without an active consumer; and, for a stream that
    // no group reads, its length and the number of entries that were removed unread.
    public const string Text = """
        local types = { 'stream', 'string', 'hash', 'set', 'string' }
        """ + RedisKeyTypes.Check + """
        local stream = KEYS[1]
        if redis.call('EXISTS', stream) == 0 then
          redis.call('DEL', KEYS[5])
          return {{}, {}, 0, {}, {}}
        end

        local function less(a, b)
          local am, as = string.match(a, '(%d+)-(%d+)')
          local bm, bs = string.match(b, '(%d+)-(%d+)')
          if am == bm then
            am, bm = as, bs
          end
          if #am ~= #bm then
            return #am < #bm
          end
          return am < bm
        end

        local now = redis.call('TIME')
        now = now[1] * 1000 + math.floor(now[2] / 1000)
        local holder = redis.call('GET', KEYS[2])
        if not holder then
          -- At its memory limit Redis lets a script continue writing once it has written. This script frees memory.
          redis.call('DEL', KEYS[2])
          redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
        end
        local is_trimmer = not holder or holder == ARGV[1]

        -- For each group: the last delivered entry (last), the oldest entry that it still needs (needed), the first
        -- unhandled entry (first), and the time since one of its consumers was last active (idle_time).
        local groups, names = {}, {}
        local function add(name, last, pending, idle_time)
          local first = pending
          if not first then
            local next = redis.call('XRANGE', stream, '(' .. last, '+', 'COUNT', 1)
            first = next[1] and next[1][1]
          end
          groups[#groups + 1] = {name = name, last = last, needed = pending or last, first = first, idle_time = idle_time}
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

        -- A group that was destroyed, but not retired, is created again at its recorded position. A group that reads
        -- every stream and has no recorded position in this stream is created at the beginning of the stream.
        local recorded = redis.call('HGETALL', KEYS[3])
        for i = 1, #recorded, 2 do
          if not names[recorded[i]] then
            add(recorded[i], string.match(recorded[i + 1], '%d+%-%d+') or '0-0', string.match(recorded[i + 1], '%((.*)'))
          end
        end
        for _, name in ipairs(redis.call('SMEMBERS', KEYS[4])) do
          if not names[name] then
            add(name, '0-0')
          end
        end

        local idle_groups, lost, more, lowest, inactive, unread_state = {}, {}, 0, nil, {}, {}
        for _, group in ipairs(groups) do
          if not group.idle_time or group.idle_time > tonumber(ARGV[7]) then
            inactive[#inactive + 1] = group.name
          end
          if group.first and now - tonumber(string.match(group.first, '%d+')) > tonumber(ARGV[3])
            and (not group.idle_time or group.idle_time > tonumber(ARGV[3])) then
            idle_groups[#idle_groups + 1] = group.name
          end
          if not lowest or less(group.needed, lowest) then
            lowest = group.needed
          end
        end

        -- Redis removes a limited number of entries for each call. If it has removed any, there may be more to remove.
        if is_trimmer and ARGV[4] == '1' and lowest and redis.call('XTRIM', stream, 'MINID', '~', lowest) > 0 then
          more = 1
        end

        -- No group reads the stream, and no group has a recorded position in it.
        if #groups == 0 and ARGV[4] == '1' and ARGV[6] ~= '0' then
          local cut = 0
          if is_trimmer and redis.call('XLEN', stream) > tonumber(ARGV[6]) then
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
            redis.call('INCRBY', KEYS[5], cut)
            redis.call('PEXPIRE', KEYS[5], ARGV[8])
          end
          unread_state = {redis.call('XLEN', stream), tonumber(redis.call('GET', KEYS[5]) or 0)}
        elseif is_trimmer and #groups > 0 then
          redis.call('DEL', KEYS[5])
        end

        local excess = redis.call('XLEN', stream) - tonumber(ARGV[5])
        if is_trimmer and tonumber(ARGV[5]) > 0 and excess > 0 then
          -- At most 100 entries for each call, because the script loads them into memory.
          local cut = math.min(excess, 100)
          local entries = redis.call('XRANGE', stream, '-', '+', 'COUNT', cut + 1)
          for _, group in ipairs(groups) do
            local count = 0
            for i = 1, cut do
              if less(group.last, entries[i][1]) then
                count = count + 1
              end
            end
            if count > 0 then
              lost[#lost + 1] = group.name
              lost[#lost + 1] = count
            end
          end
          redis.call('XTRIM', stream, 'MINID', '=', entries[cut + 1][1])
          more = excess > cut and 1 or more
        end
        return {idle_groups, lost, more, inactive, unread_state}
        """;
}
