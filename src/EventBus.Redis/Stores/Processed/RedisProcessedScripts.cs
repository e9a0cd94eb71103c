namespace EventBus;

/// <summary>Contains the Lua scripts of the store of handled events.</summary>
/// <remarks>
/// Each event has an id, <c>subscription~key</c>, which is a field of the hash <c>rows</c>. The value is <c>claimed
/// fence fingerprint lease-end token</c>, or <c>done fence fingerprint keep-until</c>. <c>fence</c> is the fencing
/// token of the last claim, and <c>token</c> that of the call that claimed (<see cref="RedisCallDeduplicator"/>). The
/// hash <c>outbox</c> holds the follow-up events that are not sent yet. The sorted set <c>ends</c> orders the done ids
/// by the end of their retention. It is used instead of the expiry of Redis, because the clock of the callers decides
/// what is old. An id with unsent events joins it only when they are sent, so it is never swept before. The sorted set
/// <c>claims</c> orders the claimed ids by the time at which they may be swept as abandoned. It stays small.
/// </remarks>
internal static class RedisProcessedScripts
{
    /// <summary>
    /// Claims an id. ARGV: id, fingerprint, now, end of the lease, time after which an abandoned claim may be swept,
    /// token of the call. Returns the state (0 new, 1 in progress, 2 done), the fencing token (0 unless new), the
    /// fingerprint and the outbox.
    /// </summary>
    public const string Claim = Prelude + """
        local id, now, call_token = ARGV[1], tonumber(ARGV[3]), ARGV[6]
        local state, fence, fingerprint, at, token = read(id)
        if state == 'done' then return { 2, 0, fingerprint, redis.call('HGET', outbox, id) } end
        local repeated = state and token == call_token
        local lease_end = ARGV[4]
        if state and not repeated and tonumber(at) > now then return { 1, 0, fingerprint, false } end

        -- The repeat of a call gets a whole lease. If Redis receives the original call after its repeat, the later end
        -- of the two leases stays.
        if repeated and tonumber(at) > tonumber(lease_end) then lease_end = at end
        if not repeated then fence = string.format('%.0f', next_of('fence')) end
        redis.call('HSET', rows, id, table.concat({ 'claimed', fence, ARGV[2], lease_end, call_token }, ' '))
        redis.call('ZADD', claims, 'GT', ARGV[5], id)
        return { 0, fence, ARGV[2], false }
        """;

    /// <summary>
    /// Renews a claim. ARGV: id, fencing token, end of the lease, time after which an abandoned claim may be swept.
    /// Returns 1 if the claim was renewed, 0 if it was lost.
    /// </summary>
    public const string Renew = Prelude + """
        local id = ARGV[1]
        local state, fence, fingerprint, _, token = read(id)
        if state ~= 'claimed' or fence ~= ARGV[2] then return 0 end
        redis.call('HSET', rows, id, table.concat({ 'claimed', fence, fingerprint, ARGV[3], token }, ' '))
        redis.call('ZADD', claims, ARGV[4], id)
        return 1
        """;

    /// <summary>
    /// Marks an id as done. ARGV: id, fencing token, end of the retention, the events to send or an empty string.
    /// Returns 1 if the id is done under this fencing token, 0 if the claim was lost.
    /// </summary>
    public const string Complete = Prelude + """
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

    /// <summary>
    /// Removes the outbox of a done id after its events were sent, and starts its retention. ARGV: id.
    /// </summary>
    public const string Dispatched = Prelude + """
        local id = ARGV[1]
        local state, _, _, keep_until = read(id)
        if state == 'done' then
          redis.call('HDEL', outbox, id)
          redis.call('ZADD', ends, keep_until, id)
        end
        """;

    /// <summary>Releases a claim. ARGV: id, fencing token.</summary>
    public const string Release = Prelude + """
        local id = ARGV[1]
        local state, fence = read(id)
        if state == 'claimed' and fence == ARGV[2] then
          redis.call('HDEL', rows, id)
          redis.call('ZREM', claims, id)
        end
        """;

    /// <summary>
    /// Removes the ids whose retention has ended, and the abandoned claims. Rows that cannot be read stay. ARGV: now,
    /// maximum number. Returns the number of checked ids and the number of removed ids.
    /// </summary>
    public const string Sweep = Prelude + """
        local checked, removed = 0, 0

        -- An id whose row was damaged by hand is claimed again, but stays in `ends` with its earlier retention. So an
        -- id that has unsent events again is not removed here.
        local function sweep(index, wanted)
          local old = redis.call('ZRANGE', index, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, tonumber(ARGV[2]) - checked)
          for _, id in ipairs(old) do
            redis.call('ZREM', index, id)
            if read(id) == wanted and redis.call('HEXISTS', outbox, id) == 0 then
              removed = removed + redis.call('HDEL', rows, id)
            end
          end
          checked = checked + #old
        end
        sweep(ends, 'done')
        sweep(claims, 'claimed')
        return { checked, removed }
        """;

    private const string Prelude = """
        local types = { 'hash', 'hash', [5] = 'hash' }
        """ + RedisKeyTypes.Check + """
        local rows, outbox, ends, claims, counters = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]

        -- Returns the state, the fencing token, the fingerprint, the time (end of the lease or of the retention) and
        -- the token of the call. Returns nothing for a row that is missing or cannot be read: its event is then handled
        -- again, which is better than never.
        local function read(id)
          local row = redis.call('HGET', rows, id) or ''
          local state, fence, fingerprint, at, token = string.match(row, '^(%a+) (%d+) (%-?%d+) (%-?%d+) ?(%S*)$')
          if state == 'claimed' or state == 'done' then return state, fence, fingerprint, at, token end
        end
        """ + RedisCounters.NextOf;
}
