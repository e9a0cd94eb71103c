namespace EventBus;

/// <summary>Contains the Lua functions that store, settle and remove an entry with all its parts.</summary>
internal static class RedisFailureEntryLua
{
    /// <summary>
    /// The code of the functions. A script contains it after <see cref="RedisFailureIndexLua.Functions"/>.
    /// </summary>
    public const string Functions = """

        -- Gives a dead letter its number, and any other entry the number 0.
        local function set_number(s) s.number = s.status == 'dead' and next_of('number') or 0 end

        -- Stores a new entry. ARGV[2], [5], [6] and [7] are its subscription, errors, attributes and body.
        local function add_entry(id, s)
          set_number(s)
          if s.line then join_line(id, s) end
          write(id, s)
          call('HSET', errors, id, ARGV[5])
          call('HSET', events, id, ARGV[6])
          call('HSET', bodies, id, ARGV[7])
          call('SADD', subscriptions, ARGV[2])
          call('HDEL', starts, id)
          call('ZREM', attempts_by_age, id)
          add_position(id, s)
          add_to_indexes(id, s)
        end

        -- Settles a claimed entry. Its event and body are not changed.
        local function replace_entry(id, old, new)
          set_number(new)
          new.claim = old.claim
          local stays = new.line == old.line
          if stays then
            new.place = old.place
          elseif new.line then
            join_line(id, new)
          end
          write(id, new)
          call('HSET', errors, id, ARGV[5])
          remove_from_indexes(id, old)
          remove_position(id, old)
          add_position(id, new)
          if not stays then leave_line(id, old) end
          add_to_indexes(id, new)
        end

        -- Removes all parts of an entry.
        local function remove_entry(id, s)
          remove_from_indexes(id, s)
          remove_position(id, s)
          if call('HDEL', states, id) == 1 then count(id, -1) end
          call('HDEL', events, id)
          call('HDEL', bodies, id)
          call('HDEL', errors, id)
          leave_line(id, s)
        end

        """;
}
