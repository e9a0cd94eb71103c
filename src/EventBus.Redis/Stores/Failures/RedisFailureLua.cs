namespace EventBus;

/// <summary>
/// Contains the Lua code that the scripts of the failure store share. Keys and values are passed only in KEYS and ARGV.
/// </summary>
/// <remarks>
/// <para>
/// The variable <c>s</c> is the state of an entry, a JSON object that <see cref="RedisFailureFormat"/> writes and
/// reads. Its fields, with the members of <see cref="Stores.FailedEvent"/> that they store: <c>status</c>; <c>name</c>:
/// the name of the event; <c>starts</c>: <c>Attempts</c>; <c>accompanied</c>: <c>Concurrent</c>; <c>replays</c>:
/// <c>ManualRetries</c>; <c>claim</c>: the number of the last claim; <c>number</c>: <c>Number</c>; <c>due</c>:
/// <c>DueAt</c>; <c>first</c> and <c>last</c>: <c>FirstFailedAt</c> and <c>LastFailedAt</c>; <c>reason</c>;
/// <c>deadline</c>; <c>alert</c>: true if an alert is needed.
/// </para>
/// <para>
/// <c>line</c>: the prefix of the members of its line; <c>place</c>: its position in the line, 16 digits; <c>order</c>:
/// the prefix of the members of its order key; <c>rank</c>: <c>Position</c> as 20 digits; <c>before</c>: the rank of
/// the position before that; <c>held</c>: true while the entry is claimed; <c>interrupted</c>: true if the claim took
/// over an expired one; <c>broken</c>: true if the state was rebuilt from the indexes; <c>token</c>: the token of the
/// call that wrote the state.
/// </para>
/// <para>
/// A member of an index of lines or order keys consists of the prefix (<see cref="RedisFailureKeys.Prefix"/>), the
/// place or the rank, a tilde and the id. The members of one prefix are the range that ends before the prefix and a
/// colon, which sorts after all digits.
/// </para>
/// </remarks>
internal static class RedisFailureLua
{
    /// <summary>The beginning of every script: the keys and the shared functions.</summary>
    public const string Prelude = RedisFailureKeys.Prelude + RedisCounters.NextOf + Reading + Lines + Moving;

    private const string Reading = """

        local function member(prefix, number, id) return prefix .. number .. '~' .. id end

        local function is_text(value) return value == nil or type(value) == 'string' end

        local function is_count(value) return type(value) == 'number' and value >= 0 and value <= 2147483647 and value % 1 == 0 end

        local function is_number(value) return type(value) == 'number' and value >= 0 and value <= 1e14 and value % 1 == 0 end

        -- The same check as in RedisTime.
        local function is_time(value)
          return type(value) == 'string' and string.find(value, '^%-?%d+$')
            and tonumber(value) >= -621355968000000000 and tonumber(value) <= 2534023007999999999
        end

        -- The same checks as in RedisFailureFormat.
        local function is_valid(s)
          return (s.status == 'waiting' or s.status == 'parked' or s.status == 'dead' or s.status == 'deferred')
            and is_count(s.starts) and is_count(s.replays) and (s.accompanied == nil or is_count(s.accompanied))
            and is_number(s.claim) and is_number(s.number)
            and is_time(s.due) and is_time(s.first) and is_time(s.last)
            and is_text(s.line) and is_text(s.order) and is_text(s.rank) and is_text(s.before)
            and (not s.line or (type(s.place) == 'string' and #s.place == 16))
            and (s.status ~= 'parked' or s.line) and (s.status ~= 'deferred' or s.order)
        end

        -- Returns the state of an entry. If there is none that can be read, returns nil, and true if there is one that
        -- cannot be read.
        local function read(id)
          local raw = call('HGET', states, id)
          if not raw then return nil, false end
          local ok, s = pcall(cjson.decode, raw)
          if not ok or type(s) ~= 'table' then return nil, true end
          for name, value in pairs(s) do
            if value == cjson.null then s[name] = nil end
          end
          if not is_valid(s) then return nil, true end
          return s, false
        end

        local function write(id, s) call('HSET', states, id, cjson.encode(s)) end

        local function exists(id)
          return call('HEXISTS', states, id) == 1 or call('HEXISTS', events, id) == 1 or call('HEXISTS', bodies, id) == 1
        end

        -- Returns the members of an index that belong to an entry whose state cannot be read. Searches the whole index,
        -- because only the state contains the position of the entry.
        local function members_of(index, id)
          local found, tail = {}, '~' .. id
          local from, PAGE = 0, 1000
          repeat
            local page = call('ZRANGE', index, from, from + PAGE - 1)
            for _, each in ipairs(page) do
              local head = string.sub(each, 1, -#tail - 1)

              -- Before the tail there is the place or the rank: a digit, or a hyphen for an entry without a rank.
              if string.sub(each, -#tail) == tail and string.find(head, '[%d%-]$') then found[#found + 1] = each end
            end
            from = from + PAGE
          until #page < PAGE
          return found
        end

        -- Returns the state of an entry. A state that cannot be read is rebuilt from the indexes; the caller writes or
        -- removes it. Returns nil if no part of the entry is left.
        local function repaired(id)
          local s = read(id)
          if s or not exists(id) then return s end
          for _, index in ipairs({ parked, deferred, positions }) do
            for _, each in ipairs(members_of(index, id)) do call('ZREM', index, each) end
          end
          s = { status = 'waiting', starts = 0, replays = 0, claim = 0, number = 0, due = '0', first = '0', last = '0', broken = true }
          local number = call('ZSCORE', dead, id)
          if number then
            s.status = 'dead'
            s.number = tonumber(number)
          end

          -- The member of a line: the prefix, the place with 16 digits, a tilde and the id.
          local found = members_of(lines, id)[1]
          if found then
            s.line = string.sub(found, 1, -#id - 18)
            s.place = string.sub(found, -#id - 17, -#id - 2)
          end
          return s
        end

        """;

    private const string Lines = """

        -- Returns the member and the id of the first entry of a line. Removes members whose entry no longer exists.
        local function head(line)
          while true do
            local first = call('ZRANGE', lines, '[' .. line, '(' .. line .. ':', 'BYLEX', 'LIMIT', 0, 1)[1]
            if not first then return nil end
            local id = string.sub(first, #line + 18) -- After the place with 16 digits and a tilde.
            if exists(id) then return first, id end
            call('ZREM', lines, first)
            call('ZREM', parked, first)
          end
        end

        local function set_due(id, time)
          call('ZADD', due, time, id)
          call('ZADD', due_of_subscription, time, id)
        end

        -- Lets an entry be claimed if it is the first of its line: a parked entry at once, another entry at its own
        -- time.
        local function schedule(id, s)
          if s.status == 'dead' or s.held then return end
          if s.line and head(s.line) ~= member(s.line, s.place, id) then return end
          set_due(id, s.status == 'parked' and '0' or s.due)
        end

        -- Adds an entry to the end of its line.
        local function join_line(id, s)
          s.place = string.format('%016.0f', next_of('place'))
          call('ZADD', lines, 0, member(s.line, s.place, id))
        end

        -- Removes an entry from its line, and lets the next entry of the line be claimed.
        local function leave_line(id, s)
          if not s.line then return end
          call('ZREM', lines, member(s.line, s.place, id))
          local _, next_id = head(s.line)
          if not next_id then return end
          local state = read(next_id)
          if state then
            schedule(next_id, state)
          elseif not call('ZSCORE', dead, next_id) then
            -- Its state cannot be read. The claim rebuilds it.
            set_due(next_id, 0)
          end
        end

        """;

    private const string Moving = """

        -- Adds an entry, whose state is written already, to the indexes of its status.
        local function add_to_indexes(id, s)
          if s.status == 'dead' then
            call('ZADD', dead, s.number, id)
            call('ZADD', dead_of_subscription, s.number, id)
            call('ZADD', dead_by_age, s.last, id)
            if s.alert then call('ZADD', alerts, s.number, id) end
            if s.reason == 'Unreadable' or s.reason == 'TooLarge' or s.reason == 'UnknownEvent' then
              local size = call('HSTRLEN', bodies, id)
              if size > 65536 then call('HSET', large, id, size) end
            end
          elseif s.status == 'parked' then
            call('ZADD', parked, 0, member(s.line, s.place, id))
          elseif s.status == 'deferred' then
            call('ZADD', deferred, 0, member(s.order, s.rank or '-', id))
          end
          schedule(id, s)
        end

        -- Removes an entry from the indexes of its status.
        local function remove_from_indexes(id, s)
          call('ZREM', due, id)
          call('ZREM', due_of_subscription, id)
          if s.status == 'dead' then
            call('ZREM', dead, id)
            call('ZREM', dead_of_subscription, id)
            call('ZREM', dead_by_age, id)
            call('ZREM', alerts, id)
            call('HDEL', large, id)
          elseif s.status == 'parked' then
            call('ZREM', parked, member(s.line, s.place, id))
          elseif s.status == 'deferred' then
            call('ZREM', deferred, member(s.order, s.rank or '-', id))
          end
        end

        -- Returns the state of a dead letter, rebuilt if it cannot be read; nil if there is no such dead letter.
        -- Corrects an index that contains an entry which is not dead.
        local function dead_letter_of(id)
          if not call('ZSCORE', dead, id) then return nil end
          local s = repaired(id)
          if s and s.status == 'dead' then return s end
          remove_from_indexes(id, { status = 'dead' })
          if s then schedule(id, s) end
          return nil
        end

        -- Gives a dead letter its number, and any other entry the number 0.
        local function set_number(s) s.number = s.status == 'dead' and next_of('number') or 0 end

        -- The index `positions` contains all entries of an order key, also those that are not deferred.
        local function add_position(id, s)
          if s.order and s.rank then call('ZADD', positions, 0, member(s.order, s.rank, id)) end
        end

        local function remove_position(id, s)
          if s.order and s.rank then call('ZREM', positions, member(s.order, s.rank, id)) end
        end

        -- Stores a new entry. ARGV[2], [5], [6] and [7] are its subscription, errors, attributes and body.
        local function add_entry(id, s)
          set_number(s)
          if s.line then join_line(id, s) end
          write(id, s)
          call('HSET', errors, id, ARGV[5])
          call('HSET', events, id, ARGV[6])
          call('HSET', bodies, id, ARGV[7])
          call('SADD', subscriptions, ARGV[2])
          call('HDEL', starts, id)
          call('ZREM', attempts_by_age, id)
          add_position(id, s)
          add_to_indexes(id, s)
        end

        -- Settles a claimed entry. Its event and body are not changed.
        local function replace_entry(id, old, new)
          set_number(new)
          new.claim = old.claim
          local stays = new.line == old.line
          if stays then
            new.place = old.place
          elseif new.line then
            join_line(id, new)
          end
          write(id, new)
          call('HSET', errors, id, ARGV[5])
          remove_from_indexes(id, old)
          remove_position(id, old)
          add_position(id, new)
          if not stays then leave_line(id, old) end
          add_to_indexes(id, new)
        end

        -- Removes all parts of an entry.
        local function remove_entry(id, s)
          remove_from_indexes(id, s)
          remove_position(id, s)
          call('HDEL', states, id)
          call('HDEL', events, id)
          call('HDEL', bodies, id)
          call('HDEL', errors, id)
          leave_line(id, s)
        end

        -- Returns the stamp of an order key and the rank of its position.
        local function order_of(order)
          local stamp, rank = string.match(call('HGET', orders, order) or '', '^(%d+) (%S+)$')
          return tonumber(stamp) or 0, rank ~= '-' and rank or nil
        end

        -- Stores the rank of an order key with a new stamp.
        local function set_order(order, rank)
          call('HSET', orders, order, string.format('%.0f %s', next_of('stamp'), rank or '-'))
        end

        """;
}
