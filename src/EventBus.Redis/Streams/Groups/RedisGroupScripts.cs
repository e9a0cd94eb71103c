namespace EventBus;

/// <summary>
/// Contains the scripts of <see cref="RedisGroup"/>. The key is the stream; the first two arguments are the group and
/// the consumer.
/// </summary>
internal static class RedisGroupScripts
{
    // Renews only entries that this consumer still owns: a plain XCLAIM would take an entry from its new owner. Returns
    // the ids that it no longer owns.
    public const string Renew = """
        local gone = {}
        for i = 3, #ARGV do
          if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) == 0 then
            gone[#gone + 1] = ARGV[i]
          else
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', 0, 'JUSTID')
          end
        end
        return gone
        """;

    // Renews the entries that were delivered to this consumer, or renewed by it, within the given number of
    // milliseconds. Returns their ids.
    public const string RenewRecent = """
        local kept, from = {}, '-'
        repeat
          local page = redis.call('XPENDING', KEYS[1], ARGV[1], from, '+', 100, ARGV[2])
          for _, each in ipairs(page) do
            if each[3] <= tonumber(ARGV[3]) then
              redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, each[1], 'IDLE', 0, 'JUSTID')
              kept[#kept + 1] = each[1]
            end
          end
          from = #page > 0 and '(' .. page[#page][1]
        until #page < 100
        return kept
        """;

    // Returns the entries that this consumer owns, with their content, in the order of the given ids, up to about 1 MB.
    // Renews all of them, and does not count as a delivery. Entries that are no longer in the stream are removed from
    // the group and counted.
    public const string Fetch = """
        local FULL = 1024 * 1024
        local entries, deleted, done, bytes = {}, 0, 0, 0
        for i = 3, #ARGV do
          done = bytes < FULL and done + 1 or done
          if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', 0, 'JUSTID')
            local found = bytes < FULL and redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i])[1]
            if found then
              entries[#entries + 1] = found
              for _, value in ipairs(found[2]) do
                bytes = bytes + #value
              end
            elseif bytes < FULL then
              redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
              deleted = deleted + 1
            end
          end
        end
        return {entries, deleted, done}
        """;

    // Claims entries without their content, so that the answer is short even for large entries. Returns each id with
    // the number of its earlier deliveries, and counts one more delivery.
    public const string Claim = """
        local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'JUSTID')
        local ids = {}
        for _, id in ipairs(claimed[2]) do
          local pending = redis.call('XPENDING', KEYS[1], ARGV[1], id, id, 1, ARGV[2])[1]
          if pending then
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, id, 'IDLE', 0, 'RETRYCOUNT', pending[4] + 1, 'JUSTID')
            ids[#ids + 1] = {id, pending[4]}
          end
        end
        return {claimed[1], ids, claimed[3] and #claimed[3] or 0}
        """;

    // Sets an idle time so long that any instance claims the entries immediately.
    public const string Release = """
        for i = 4, #ARGV, 2 do
          if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2]) > 0 then
            redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
          end
        end
        """;

    // XGROUP DELCONSUMER discards pending entries, so the check and the removal must be atomic.
    public const string Leave = """
        if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then
          redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
        end
        """;

    // The check runs in the same script as the removal, because XGROUP DELCONSUMER discards pending entries.
    public const string Sweep = """
        for _, each in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
          local info = {}
          for i = 1, #each, 2 do
            info[each[i]] = each[i + 1]
          end
          if info['pending'] == 0 and info['idle'] > tonumber(ARGV[3]) and info['name'] ~= ARGV[2] then
            redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], info['name'])
          end
        end
        """;
}
