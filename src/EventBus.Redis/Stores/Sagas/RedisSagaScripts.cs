namespace EventBus;

/// <summary>Contains the Lua scripts of the store of sagas.</summary>
/// <remarks>
/// Three hashes hold the parts of a saga under its id: its row (<see cref="RedisSagaFormat"/>); its content; and its
/// place, which says where it is in the index: <c>version number start name marks</c>. A mark is a text such as
/// <c>status/1/</c> or <c>due/order/0638.../</c>, under which the saga is found. The index is one sorted set with a
/// member for each mark: the mark, the number of the saga with 16 digits, a slash, and the id. All scores are 0, so the
/// set is ordered by text: the sagas that are due with a name, wait for a key or have a status are a range of the set,
/// and times do not lose precision in a score. A member whose mark is not in the place of its saga is left from data
/// that was damaged by hand; scripts that find it remove it. <see cref="RedisSagaLua"/> contains the functions that the
/// scripts call.
/// </remarks>
internal static class RedisSagaScripts
{
    /// <summary>
    /// Stores a new saga. ARGV: as for <see cref="Save"/>; the version is ignored. Returns 1 if the saga was written, 0
    /// if the id exists already.
    /// </summary>
    public const string Create = RedisSagaLua.Prelude + RedisSagaLua.Writing + """
        if redis.call('HEXISTS', rows, ARGV[1]) + redis.call('HEXISTS', places, ARGV[1]) > 0 then return 0 end
        write('1', new_number(), ARGV[3], ARGV[4], '')
        return 1
        """;

    /// <summary>
    /// Replaces a saga. ARGV: id, version, start, name, row, 1 if the content is to be replaced, content, and the marks
    /// with an at sign for the name. Returns 1 if the entry was written, 0 if it does not exist or has another version.
    /// </summary>
    public const string Save = RedisSagaLua.Prelude + RedisSagaLua.Writing + """
        if redis.call('HEXISTS', rows, ARGV[1]) + redis.call('HEXISTS', places, ARGV[1]) == 0 then return 0 end
        local version, number, start, name, marks = place_of(ARGV[1])

        -- A saga whose place cannot be read was returned with the version 0. The write repairs its place.
        if (version or '0') ~= ARGV[2] then return 0 end
        write(string.format('%.0f', (version or 0) + 1), number or new_number(), start or ARGV[3], name or ARGV[4], marks or '')
        return 1
        """;

    /// <summary>
    /// Reads one saga. ARGV: id. Returns a row as for <see cref="List"/>; null if there is no such saga.
    /// </summary>
    public const string Find = RedisSagaLua.Prelude + """
        local row, place = redis.call('HGET', rows, ARGV[1]), redis.call('HGET', places, ARGV[1])
        return (row or place) and { ARGV[1], place, row, redis.call('HGET', contents, ARGV[1]), '' }
        """;

    /// <summary>
    /// Reads a page, the highest number first. ARGV: mark, exclusive upper bound of the number or an empty string,
    /// maximum number of sagas. Returns for each saga: id, place, row, content, mark.
    /// </summary>
    public const string List = RedisSagaLua.Prelude + RedisSagaLua.Reading + """
        local mark, before, max = ARGV[1], ARGV[2], ARGV[3]

        -- A colon sorts after all digits.
        if before == '' then before = ':' end
        local found
        repeat
          found = {}
          for _, member in ipairs(redis.call('ZRANGE', index, '(' .. mark .. before, '[' .. mark, 'BYLEX', 'REV', 'LIMIT', 0, max)) do
            found[#found + 1] = { mark, string.sub(member, #mark + 1) }
          end
        until replace_by_rows(found)
        return found
        """;

    /// <summary>
    /// Reads the due sagas, the earliest first. ARGV: now, maximum number, and prefixes of marks, after each of which a
    /// time follows in the mark. Returns the next due time or null, then rows as for <see cref="List"/>.
    /// </summary>
    public const string ListDue = RedisSagaLua.Prelude + RedisSagaLua.Reading + """
        local now, max = ARGV[1], tonumber(ARGV[2])
        local due, next_time
        repeat
          due, next_time = {}, false
          for i = 3, #ARGV do
            local prefix = ARGV[i]
            local after_now = '(' .. prefix .. now .. ':'
            for _, member in ipairs(redis.call('ZRANGE', index, '[' .. prefix, after_now, 'BYLEX', 'LIMIT', 0, max + 1)) do
              -- The mark; the number and the id; and the time and the number, by which the sagas of all prefixes are
              -- sorted.
              due[#due + 1] = {
                string.sub(member, 1, #prefix + TIME),
                string.sub(member, #prefix + TIME + 1),
                string.sub(member, #prefix + 1, #prefix + TIME + NUMBER)
              }
            end
            local later = redis.call('ZRANGE', index, after_now, '(' .. prefix .. ':', 'BYLEX', 'LIMIT', 0, 1)[1]
            if later then
              local time = string.sub(later, #prefix + 1, #prefix + TIME - 1)
              if not next_time or time < next_time then next_time = time end
            end
          end
          table.sort(due, function(a, b) return a[3] < b[3] end)

          -- If more sagas are due than requested, the next one is due already.
          if due[max + 1] then next_time = string.sub(due[max + 1][3], 1, TIME - 1) end
          while #due > max do table.remove(due) end
        until replace_by_rows(due)
        table.insert(due, 1, next_time)
        return due
        """;

    /// <summary>
    /// Removes sagas whose retention has ended. ARGV: now, maximum number. Returns the number of checked members of the
    /// index and the number of removed sagas.
    /// </summary>
    public const string Sweep = RedisSagaLua.Prelude + """
        local old = redis.call('ZRANGE', index, '[keep/', '(keep/' .. ARGV[1] .. ':', 'BYLEX', 'LIMIT', 0, ARGV[2])
        local removed = 0
        for _, member in ipairs(old) do
          local mark, number, id = string.match(member, '^(keep/%d+/)(%d+)/(.*)$')
          redis.call('ZREM', index, member)
          local _, number_of_saga, _, _, marks = place_of(id)
          if number_of_saga == number and has(marks, mark) then
            for each in string.gmatch(marks, '%S+') do redis.call('ZREM', index, each .. number .. '/' .. id) end
            redis.call('HDEL', rows, id)
            redis.call('HDEL', contents, id)
            redis.call('HDEL', places, id)
            removed = removed + 1
          end
        end
        return { #old, removed }
        """;
}
