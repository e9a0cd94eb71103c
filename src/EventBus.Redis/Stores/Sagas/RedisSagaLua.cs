namespace EventBus;

/// <summary>
/// Contains the Lua code that the scripts of the store of sagas share (<see cref="RedisSagaScripts"/> describes the
/// data).
/// </summary>
internal static class RedisSagaLua
{
    /// <summary>The beginning of every script: the keys, and the functions that read the place of a saga.</summary>
    public const string Prelude = """
        local types = { 'hash', 'hash', 'hash', [5] = 'hash' }
        """ + RedisKeyTypes.Check + """
        local rows, contents, places, index, counters = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

        -- The lengths of a time (19 digits) and of a number (16 digits) in the index, each with the slash after it.
        local TIME, NUMBER = 20, 17

        -- Returns the version, number, start, name and marks of a saga; nothing if its place is missing or cannot be
        -- read.
        local function place_of(id)
          return string.match(redis.call('HGET', places, id) or '', '^(%d+) (%d+) (%d+) (%S*) (.+)$')
        end

        -- The marks are separated by spaces.
        local function has(marks, mark) return string.find(' ' .. marks .. ' ', ' ' .. mark .. ' ', 1, true) end

        """;

    /// <summary>
    /// The functions that number a saga and write it. A script contains them after <see cref="Prelude"/>.
    /// </summary>
    public const string Writing = RedisCounters.NextOf + """
        local function new_number() return string.format('%016.0f', next_of('saga')) end

        -- Writes the saga of ARGV, and replaces its marks in the index. old_marks: those of the stored saga.
        local function write(version, number, start, name, old_marks)
          local id, marks = ARGV[1], {}
          for i = 8, #ARGV do marks[#marks + 1] = string.gsub(ARGV[i], '@', function() return name end) end
          local new_marks = table.concat(marks, ' ')

          -- If Redis is full, it refuses the first write of a script; it never refuses a later one.
          redis.call('HSET', rows, id, ARGV[5])
          redis.call('HSET', places, id, table.concat({ version, number, start, name, new_marks }, ' '))
          if ARGV[6] == '1' then redis.call('HSET', contents, id, ARGV[7]) end
          for mark in string.gmatch(old_marks, '%S+') do
            if not has(new_marks, mark) then redis.call('ZREM', index, mark .. number .. '/' .. id) end
          end
          for mark in string.gmatch(new_marks, '%S+') do
            if not has(old_marks, mark) then redis.call('ZADD', index, 0, mark .. number .. '/' .. id) end
          end
        end

        """;

    /// <summary>
    /// The function that reads the sagas of a page of the index. A script contains it after <see cref="Prelude"/>.
    /// </summary>
    public const string Reading = """
        -- Replaces each member of the index (its mark, and the number and id) by the id, place, row, content and mark
        -- of its saga. Members that are left from damaged data are removed from the index. Then the result is false,
        -- and the caller reads the index again, because other members may follow.
        local function replace_by_rows(members)
          local is_complete = true
          for i, member in ipairs(members) do
            local mark, number, id = member[1], string.match(member[2], '^(%d+)/(.*)$')
            local _, number_of_saga, _, _, marks = place_of(id)
            local row = redis.call('HGET', rows, id)
            local is_stale
            if number_of_saga then
              is_stale = number_of_saga ~= number or not has(marks, mark)
            else
              -- A saga without a readable place is returned as long as it has a row, so that an operator finds it.
              is_stale = not row
            end
            if is_stale then
              redis.call('ZREM', index, mark .. member[2])
              is_complete = false
            else
              members[i] = { id, redis.call('HGET', places, id), row, redis.call('HGET', contents, id), mark }
            end
          end
          return is_complete
        end

        """;
}
