namespace EventBus;

/// <summary>Contains the Lua script of the failure store that advances an order key after one of its events.</summary>
internal static class RedisOrderKeyScripts
{
    /// <summary>
    /// Records that an event of an order key was processed, and makes deferred entries of the key due. ARGV: order key,
    /// rank of the event or an empty string, now. Returns 1 if a deferred entry is due, otherwise 0.
    /// </summary>
    public const string Advance = RedisFailureLua.Prelude + """
        local order, rank_of_event, now = ARGV[1], ARGV[2], ARGV[3]
        local _, rank = order_of(order)
        if rank_of_event ~= '' and (not rank or rank < rank_of_event) then rank = rank_of_event end
        set_order(order, rank)
        call('ZADD', orders_by_age, now, order)

        -- Makes a deferred entry due, and returns true. Returns false for a claimed entry, which its owner evaluates
        -- again in any case, and for an entry that is no longer deferred.
        local function wake(found, id)
          local s = read(id)
          if s and s.held then return false end
          local is_stale = s and s.status ~= 'deferred'
          if is_stale or not exists(id) then
            call('ZREM', deferred, found)
            return false
          end
          if not s then
            -- Its state cannot be read. The claim rebuilds it.
            set_due(id, 0)
          elseif tonumber(s.due) > tonumber(now) then
            s.due = now
            write(id, s)
            schedule(id, s)
          end
          return true
        end

        -- The members of the index: the order key, then a hyphen (no rank) or the 20 digits of the rank, then a tilde
        -- and the id. Makes due all entries without a rank, and of the others the first one that is not claimed.
        local is_any_due = 0
        for _, found in ipairs(call('ZRANGE', deferred, '[' .. order .. '-', '(' .. order .. '.', 'BYLEX')) do
          if wake(found, string.sub(found, #order + 3)) then is_any_due = 1 end
        end
        for _, found in ipairs(call('ZRANGE', deferred, '[' .. order .. '0', '(' .. order .. ':', 'BYLEX')) do
          if wake(found, string.sub(found, #order + 22)) then
            is_any_due = 1
            break
          end
        end
        return is_any_due
        """;
}
