namespace EventBus;

/// <summary>Contains the Lua scripts of the failure store that only read dead letters.</summary>
internal static class RedisDeadLetterQueries
{
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
}
