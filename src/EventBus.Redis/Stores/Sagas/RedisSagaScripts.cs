namespace EventBus;

/// <summary>Contains the Lua scripts of the store of sagas.</summary>
/// <remarks>
/// Three hashes hold the parts of a saga under its id: its row (<see cref="RedisSagaFormat"/>), its content, and its
/// place: <c>version number start name marks</c>. For each mark, one sorted set has a member that consists of the mark,
/// the number and the id of the saga. The set is ordered by text alone. So the sagas that are due with a name, wait for
/// a key or have a status are a range of the set, and times do not lose precision in a score. A member whose mark is
/// not in the place of its saga is left from data that was damaged manually; scripts that find it remove it.
/// </remarks>
internal static class RedisSagaScripts
{
    /// <summary>
    /// Stores a new saga. ARGV: as for <see cref="Save"/>; the version is ignored. Returns 1 if the entry was written,
    /// otherwise 0.
    /// </summary>
    public const string Create = All + Writing + """
        if redis.call('HEXISTS', rows, ARGV[1]) + redis.call('HEXISTS', places, ARGV[1]) > 0 then return 0 end
        write('1', new_number(), ARGV[3], ARGV[4], '')
        return 1
        """;

    /// <summary>
    /// Replaces a saga. ARGV: id, version, start, name, row, 1 if the content is to be replaced, content, and the marks
    /// with an at sign for the name. Returns 1 if the entry was written, otherwise 0.
    /// </summary>
    public const string Save = All + Writing + """
        if redis.call('HEXISTS', rows, ARGV[1]) + redis.call('HEXISTS', places, ARGV[1]) == 0 then return 0 end
        local version, number, start, name, marks = place_of(ARGV[1])
        if (version or '0') ~= ARGV[2] then return 0 end
        write(string.format('%.0f', (version or 0) + 1), number or new_number(), start or ARGV[3], name or ARGV[4], marks or '')
        return 1
        """;

    /// <summary>
    /// Reads one saga. ARGV: id. Returns a row as for <see cref="List"/>; null if there is no such saga.
    /// </summary>
    public const string Find = All + """
        local row, place = redis.call('HGET', rows, ARGV[1]), redis.call('HGET', places, ARGV[1])
        return (row or place) and { ARGV[1], place, row, redis.call('HGET', contents, ARGV[1]), '' }
        """;

    /// <summary>
    /// Reads a page, the highest number first. ARGV: mark, exclusive upper bound of the number or an empty string,
    /// maximum number. Returns for each saga: id, place, row, content, mark.
    /// </summary>
    public const string List = All + Reading + """
        local mark, found = ARGV[1], nil
        repeat
          found = {}
          local before = '(' .. mark .. (ARGV[2] == '' and ':' or ARGV[2])
          for _, member in ipairs(redis.call('ZRANGE', index, before, '[' .. mark, 'BYLEX', 'REV', 'LIMIT', 0, ARGV[3])) do
            found[#found + 1] = { mark, string.sub(member, #mark + 1) }
          end
        until read(found)
        return found
        """;

    /// <summary>
    /// Reads the due sagas, the earliest first. ARGV: now, maximum number, and prefixes of marks. Returns the next due
    /// time or null, then rows as for <see cref="List"/>.
    /// </summary>
    public const string ListDue = All + Reading + """
        local now, max, due, next = ARGV[1], tonumber(ARGV[2]), nil, nil
        repeat
          due, next = {}, false
          for i = 3, #ARGV do
            local kind = ARGV[i]
            for _, member in ipairs(redis.call('ZRANGE', index, '[' .. kind, '(' .. kind .. now .. ':', 'BYLEX', 'LIMIT', 0, max + 1)) do
              due[#due + 1] = {
                string.sub(member, 1, #kind + TIME),
                string.sub(member, #kind + TIME + 1),
                string.sub(member, #kind + 1, #kind + TIME + NUMBER)
              }
            end
            local later = redis.call('ZRANGE', index, '(' .. kind .. now .. ':', '(' .. kind .. ':', 'BYLEX', 'LIMIT', 0, 1)[1]
            later = later and string.sub(later, #kind + 1, #kind + TIME - 1)
            if later and (not next or later < next) then next = later end
          end
          table.sort(due, function(one, other) return one[3] < other[3] end)
          if due[max + 1] then next = string.sub(due[max + 1][3], 1, TIME - 1) end
          while #due > max do table.remove(due) end
        until read(due)
        table.insert(due, 1, next)
        return due
        """;

    /// <summary>
    /// Removes sagas whose retention has ended. ARGV: now, maximum number. Returns the number of checked sagas and the
    /// number of removed sagas.
    /// </summary>
    public const string Sweep = All + """
        local old, removed = redis.call('ZRANGE', index, '[keep/', '(keep/' .. ARGV[1] .. ':', 'BYLEX', 'LIMIT', 0, ARGV[2]), 0
        for _, member in ipairs(old) do
          local mark, tail, number, id = string.match(member, '^(keep/%d+/)((%d+)/(.*))$')
          redis.call('ZREM', index, member)
          local _, own, _, _, marks = place_of(id)
          if own == number and has(marks, mark) then
            for each in string.gmatch(marks, '%S+') do redis.call('ZREM', index, each .. tail) end
            for _, hash in ipairs({ rows, contents, places }) do redis.call('HDEL', hash, id) end
            removed = removed + 1
          end
        end
        return { #old, removed }
        """;

    private const string All = """
        local types = { 'hash', 'hash', 'hash', [5] = 'hash' }
        """ + RedisKeyTypes.Check + """
        local rows, contents, places, index, counters = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

        -- The length of a time and of a number, each with the slash that follows it.
        local TIME, NUMBER = 20, 17

        -- Returns nothing if the place is missing or cannot be read.
        local function place_of(id)
          return string.match(redis.call('HGET', places, id) or '', '^(%d+) (%d+) (%d+) (%S*) (.+)$')
        end

        local function has(marks, mark) return string.find(' ' .. marks .. ' ', ' ' .. mark .. ' ', 1, true) end

        """;

    private const string Writing = RedisCounters.NextOf + """
        local function new_number() return string.format('%016.0f', next_of('saga')) end

        local function write(version, number, start, name, before)
          local id, marks = ARGV[1], {}
          for i = 8, #ARGV do marks[#marks + 1] = string.gsub(ARGV[i], '@', function() return name end) end
          local after = table.concat(marks, ' ')

          -- If Redis is full, it refuses the first write of a script; it never refuses a later one.
          redis.call('HSET', rows, id, ARGV[5])
          redis.call('HSET', places, id, table.concat({ version, number, start, name, after }, ' '))
          if ARGV[6] == '1' then redis.call('HSET', contents, id, ARGV[7]) end
          for mark in string.gmatch(before, '%S+') do
            if not has(after, mark) then redis.call('ZREM', index, mark .. number .. '/' .. id) end
          end
          for mark in string.gmatch(after, '%S+') do
            if not has(before, mark) then redis.call('ZADD', index, 0, mark .. number .. '/' .. id) end
          end
        end

        """;

    private const string Reading = """
        -- Replaces each member (mark, number and id) by the row of its saga. Members that belong to no saga are removed
        -- from the index; then the result is false, and the caller reads the index again, because other members may
        -- follow.
        local function read(members)
          local whole = true
          for i, member in ipairs(members) do
            local mark, number, id = member[1], string.match(member[2], '^(%d+)/(.*)$')
            local _, own, _, _, marks = place_of(id)
            local row = redis.call('HGET', rows, id)
            if own and not (own == number and has(marks, mark)) or not own and not row then
              redis.call('ZREM', index, mark .. member[2])
              whole = false
            else
              members[i] = { id, redis.call('HGET', places, id), row, redis.call('HGET', contents, id), mark }
            end
          end
          return whole
        end

        """;
}
