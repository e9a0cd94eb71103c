namespace EventBus;

/// <summary>Contains the Lua functions that add an entry to the indexes and remove it from them.</summary>
internal static class RedisFailureIndexLua
{
    /// <summary>
    /// The code of the functions. A script contains it after <see cref="RedisFailureLineLua.Functions"/>.
    /// </summary>
    public const string Functions = """

        -- Adds an entry, whose state is written already, to the indexes of its status.
        local function add_to_indexes(id, s)
          if s.status == 'dead' then
            call('ZADD', dead, s.number, id)
            call('ZADD', dead_of_subscription, s.number, id)
            call('ZADD', dead_by_age, s.last, id)
            if s.alert then call('ZADD', alerts, s.number, id) end
            if s.reason == 'Unreadable' or s.reason == 'TooLarge' or s.reason == 'UnknownEvent' then
              local size = call('HSTRLEN', bodies, id)
              if size > 65536 then call('HSET', large, id, size) end
            end
          elseif s.status == 'parked' then
            call('ZADD', parked, 0, member(s.line, s.place, id))
          elseif s.status == 'deferred' then
            call('ZADD', deferred, 0, member(s.order, s.rank or '-', id))
          end
          schedule(id, s)
        end

        -- Removes an entry from the indexes of its status.
        local function remove_from_indexes(id, s)
          call('ZREM', due, id)
          call('ZREM', due_of_subscription, id)
          if s.status == 'dead' then
            call('ZREM', dead, id)
            call('ZREM', dead_of_subscription, id)
            call('ZREM', dead_by_age, id)
            call('ZREM', alerts, id)
            call('HDEL', large, id)
          elseif s.status == 'parked' then
            call('ZREM', parked, member(s.line, s.place, id))
          elseif s.status == 'deferred' then
            call('ZREM', deferred, member(s.order, s.rank or '-', id))
          end
        end

        -- Returns the state of a dead letter, rebuilt if it cannot be read; nil if there is no such dead letter.
        -- Corrects an index that contains an entry which is not dead.
        local function dead_letter_of(id)
          if not call('ZSCORE', dead, id) then return nil end
          local s = repaired(id)
          if s and s.status == 'dead' then return s end
          remove_from_indexes(id, { status = 'dead' })
          if s then schedule(id, s) end
          return nil
        end

        -- The index `positions` contains all entries of an order key, also those that are not deferred.
        local function add_position(id, s)
          if s.order and s.rank then call('ZADD', positions, 0, member(s.order, s.rank, id)) end
        end

        local function remove_position(id, s)
          if s.order and s.rank then call('ZREM', positions, member(s.order, s.rank, id)) end
        end

        """;
}
