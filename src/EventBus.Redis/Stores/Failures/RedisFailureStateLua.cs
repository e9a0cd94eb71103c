namespace EventBus;

/// <summary>
/// Contains the Lua functions that read, check, repair and write the state of an entry. <see cref="RedisFailureLua"/>
/// describes its fields.
/// </summary>
internal static class RedisFailureStateLua
{
    /// <summary>The code of the functions. A script contains it after <see cref="RedisFailureKeys.Prelude"/>.</summary>
    public const string Functions = """

        -- Returns the member of an index for an entry. number: its place or its rank.
        local function member(prefix, number, id) return prefix .. number .. '~' .. id end

        local function is_text(value) return value == nil or type(value) == 'string' end

        local function is_count(value) return type(value) == 'number' and value >= 0 and value <= 2147483647 and value % 1 == 0 end

        local function is_number(value) return type(value) == 'number' and value >= 0 and value <= 1e14 and value % 1 == 0 end

        -- The same check as in RedisTime.
        local function is_time(value)
          return type(value) == 'string' and string.find(value, '^%-?%d+$')
            and tonumber(value) >= -621355968000000000 and tonumber(value) <= 2534023007999999999
        end

        -- The same checks as in RedisFailureStateFormat.
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

        -- Adds to the number of entries of a subscription. A number that was damaged by hand is corrected when the
        -- numbers are read (RedisFailureCountScripts).
        local function count(id, difference)
          local subscription = string.match(id, '^[^~]*')
          local n = redis.pcall('HINCRBY', counts, subscription, difference)
          if type(n) == 'number' and n <= 0 then call('HDEL', counts, subscription) end
        end

        local function write(id, s)
          if call('HSET', states, id, cjson.encode(s)) == 1 then count(id, 1) end
        end

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
}
