namespace EventBus;

/// <summary>
/// Contains the Lua functions of the lines: the failed event of a key, and the events that are parked behind it.
/// </summary>
internal static class RedisFailureLineLua
{
    /// <summary>
    /// The code of the functions. A script contains it after <see cref="RedisFailureStateLua.Functions"/>.
    /// </summary>
    public const string Functions = """

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
}
