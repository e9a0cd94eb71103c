namespace EventBus;

/// <summary>
/// Contains the Lua scripts on the pending entries of a group (<see cref="RedisPendingEntries"/>) and on its consumers
/// (<see cref="RedisGroupMembers"/>). KEYS: 1 the stream. ARGV: 1 the group, 2 the consumer that calls; the further
/// arguments are listed at each script.
/// </summary>
internal static class RedisGroupScripts
{
    // XPENDING returns {id, consumer, idle time in ms, number of deliveries} for each entry. XCLAIM with JUSTID changes
    // the idle time of an entry and does not count a delivery.
    private const string Prelude = """
        local stream, group, consumer = KEYS[1], ARGV[1], ARGV[2]

        -- Returns what XPENDING returns for an entry of this consumer; nil if the entry is not pending for it. A plain
        -- XCLAIM would take the entry from a new owner.
        local function pending_of(id)
          return redis.call('XPENDING', stream, group, id, id, 1, consumer)[1]
        end

        local function renew(id)
          redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', 0, 'JUSTID')
        end

        """;

    // ARGV: 3 and following: ids. Renews the entries that this consumer still owns. Returns the ids of the others.
    public const string Renew = Prelude + """

        local gone = {}
        for i = 3, #ARGV do
          local id = ARGV[i]
          if pending_of(id) then
            renew(id)
          else
            gone[#gone + 1] = id
          end
        end
        return gone
        """;

    // ARGV: 3 a time in ms. Renews the entries that were delivered to this consumer, or renewed by it, within that
    // time. Returns their ids.
    public const string RenewRecent = Prelude + """

        local PAGE = 100
        local renewed, from = {}, '-'
        repeat
          local page = redis.call('XPENDING', stream, group, from, '+', PAGE, consumer)
          for _, pending in ipairs(page) do
            local id, idle_time = pending[1], pending[3]
            if idle_time <= tonumber(ARGV[3]) then
              renew(id)
              renewed[#renewed + 1] = id
            end
          end
          if #page > 0 then
            from = '(' .. page[#page][1]
          end
        until #page < PAGE
        return renewed
        """;

    // ARGV: 3 and following: ids. Renews those entries that this consumer owns. Returns them with their content, in the
    // order of the ids, until about 1 MB is reached; the number of entries that are no longer in the stream, which are
    // removed from the group; and the number of ids before that limit, after which the next call continues.
    public const string Fetch = Prelude + """

        local MAX_BYTES = 1024 * 1024
        local entries, deleted, processed, bytes = {}, 0, 0, 0
        for i = 3, #ARGV do
          local id = ARGV[i]
          local is_within_limit = bytes < MAX_BYTES
          if is_within_limit then
            processed = processed + 1
          end
          if pending_of(id) then
            renew(id)
            if is_within_limit then
              local entry = redis.call('XRANGE', stream, id, id)[1]
              if entry then
                entries[#entries + 1] = entry
                for _, value in ipairs(entry[2]) do
                  bytes = bytes + #value
                end
              else
                redis.call('XACK', stream, group, id)
                deleted = deleted + 1
              end
            end
          end
        end
        return {entries, deleted, processed}
        """;

    // ARGV: 3 the time in ms for which an entry was not renewed, 4 the cursor of the page, 5 the size of the page.
    // Claims entries without their content, so that the answer is short even for large entries. Returns the next
    // cursor; each id with the number of its earlier deliveries; and the number of entries that are no longer in the
    // stream. Counts one more delivery of each entry.
    public const string Claim = Prelude + """

        local claimed = redis.call('XAUTOCLAIM', stream, group, consumer, ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'JUSTID')
        local ids = {}
        for _, id in ipairs(claimed[2]) do
          local pending = pending_of(id)
          if pending then
            local deliveries = pending[4]
            redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', 0, 'RETRYCOUNT', deliveries + 1, 'JUSTID')
            ids[#ids + 1] = {id, deliveries}
          end
        end
        -- Redis 6.2 does not report deleted entries.
        local deleted = claimed[3] or {}
        return {claimed[1], ids, #deleted}
        """;

    // ARGV: 3 the idle time in ms that is set, so long that any instance claims the entries at once; then pairs of an
    // id and its number of deliveries.
    public const string Release = Prelude + """

        for i = 4, #ARGV, 2 do
          local id, deliveries = ARGV[i], ARGV[i + 1]
          if pending_of(id) then
            redis.call('XCLAIM', stream, group, consumer, 0, id, 'IDLE', ARGV[3], 'RETRYCOUNT', deliveries, 'JUSTID')
          end
        end
        """;

    // Removes this consumer. XGROUP DELCONSUMER discards pending entries, so the check and the removal must be atomic.
    public const string Leave = """
        if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
          redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
        end
        """;

    // ARGV: 3 a time in ms. Removes the other consumers that were idle for longer and own nothing. The check runs in
    // the same script as the removal, because XGROUP DELCONSUMER discards pending entries.
    public const string Sweep = """
        for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
          local info = {}
          for i = 1, #consumer, 2 do
            info[consumer[i]] = consumer[i + 1]
          end
          if info['pending'] == 0 and info['idle'] > tonumber(ARGV[3]) and info['name'] ~= ARGV[2] then
            redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], info['name'])
          end
        end
        """;
}
