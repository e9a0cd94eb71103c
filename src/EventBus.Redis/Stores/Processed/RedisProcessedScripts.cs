namespace EventBus;

/// <summary>Contains the Lua scripts of the store of handled events.</summary>
/// <remarks>
/// A key is a field of one hash: <c>claimed fence fingerprint lease-end token</c>, or <c>done fence fingerprint
/// keep-until</c>. Retention uses the scores of a sorted set instead of the expiry of Redis, because the clock of the
/// callers decides what is old. A key with unsent events is not in this set, and so never expires. Claims are in a
/// separate sorted set, which stays small.
/// </remarks>
internal static class RedisProcessedScripts
{
    /// <summary>
    /// Claims a key. ARGV: id, fingerprint, now, end of the lease, time after which an abandoned claim may be swept,
    /// token of the call. Returns the state (0 new, 1 in progress, 2 done), the fencing token, the fingerprint and the
    /// outbox.
    /// </summary>
    public const string Claim = All + """
        local id, now = ARGV[1], tonumber(ARGV[3])
        local state, fence, fingerprint, at, token = read(id)
        if state == 'done' then return { 2, 0, fingerprint, redis.call('HGET', outbox, id) } end
        local repeated, lease_end = state and token == ARGV[6], ARGV[4]
        if state and not repeated and tonumber(at) > now then return { 1, 0, fingerprint, false } end

        -- The repeat of a call gets a whole lease. If the original call arrives after its repeat, it does not shorten
        -- the lease.
        if repeated and tonumber(at) > tonumber(lease_end) then lease_end = at end
        if not repeated then fence = string.format('%.0f', next_of('fence')) end
        redis.call('HSET', rows, id, table.concat({ 'claimed', fence, ARGV[2], lease_end, ARGV[6] }, ' '))
        redis.call('ZADD', claims, 'GT', ARGV[5], id)
        return { 0, fence, ARGV[2], false }
        """;

    /// <summary>
    /// Renews a claim. ARGV: id, fencing token, end of the lease, time after which an abandoned claim may be swept.
    /// Returns 1 if the claim was renewed, 0 if it was lost.
    /// </summary>
    public const string Renew = All + """
        local id = ARGV[1]
        local state, fence, fingerprint, _, token = read(id)
        if state ~= 'claimed' or fence ~= ARGV[2] then return 0 end
        redis.call('HSET', rows, id, table.concat({ 'claimed', fence, fingerprint, ARGV[3], token }, ' '))
        redis.call('ZADD', claims, ARGV[4], id)
        return 1
        """;

    /// <summary>
    /// Marks a key as done. ARGV: id, fence, end of the retention, the events to send or an empty string. Returns 1 if
    /// the key is done, otherwise 0.
    /// </summary>
    public const string Complete = All + """
        local id = ARGV[1]
        local state, fence, fingerprint = read(id)
        if not state or fence ~= ARGV[2] then return 0 end
        if state == 'done' then return 1 end
        redis.call('HSET', rows, id, table.concat({ 'done', fence, fingerprint, ARGV[3] }, ' '))
        redis.call('ZREM', claims, id)
        if ARGV[4] == '' then
          redis.call('ZADD', ends, ARGV[3], id)
        else
          redis.call('HSET', outbox, id, ARGV[4])
        end
        return 1
        """;

    /// <summary>Removes the unsent events of a done key, and starts its retention. ARGV: id.</summary>
    public const string Dispatched = All + """
        local id = ARGV[1]
        local state, _, _, keep_until = read(id)
        if state == 'done' then
          redis.call('HDEL', outbox, id)
          redis.call('ZADD', ends, keep_until, id)
        end
        """;

    /// <summary>Releases a claim. ARGV: id, fence.</summary>
    public const string Release = All + """
        local id = ARGV[1]
        local state, fence = read(id)
        if state == 'claimed' and fence == ARGV[2] then
          redis.call('HDEL', rows, id)
          redis.call('ZREM', claims, id)
        end
        """;

    /// <summary>
    /// Removes old keys, and skips those that cannot be read. ARGV: now, maximum number. Returns the number of checked
    /// keys and the number of removed keys.
    /// </summary>
    public const string Sweep = All + """
        local checked, removed = 0, 0
        local function sweep(index, wanted)
          local old = redis.call('ZRANGE', index, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, tonumber(ARGV[2]) - checked)
          for _, id in ipairs(old) do
            redis.call('ZREM', index, id)
            if read(id) == wanted and redis.call('HEXISTS', outbox, id) == 0 then removed = removed + redis.call('HDEL', rows, id) end
          end
          checked = checked + #old
        end
        sweep(ends, 'done')
        sweep(claims, 'claimed')
        return { checked, removed }
        """;

    private const string All = """
        local types = { 'hash', 'hash', [5] = 'hash' }
        """ + RedisKeyTypes.Check + """
        local rows, outbox, ends, claims, counters = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

        -- Returns nothing for a row that is missing or cannot be read: its event is then handled again, which is better
        -- than never.
        local function read(id)
          local row = redis.call('HGET', rows, id) or ''
          local state, fence, fingerprint, at, token = string.match(row, '^(%a+) (%d+) (%-?%d+) (%-?%d+) ?(%S*)$')
          if state == 'claimed' or state == 'done' then return state, fence, fingerprint, at, token end
        end
        """ + RedisCounters.NextOf;
}
