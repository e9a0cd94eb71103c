namespace EventBus;

/// <summary>Contains the Lua functions that read and write the stamp and the rank of an order key.</summary>
internal static class RedisFailureOrderLua
{
    /// <summary>The code of the functions. A script contains it after <see cref="RedisCounters.NextOf"/>.</summary>
    public const string Functions = """

        -- Returns the stamp of an order key and the rank of its position.
        local function order_of(order)
          local stamp, rank = string.match(call('HGET', orders, order) or '', '^(%d+) (%S+)$')
          return tonumber(stamp) or 0, rank ~= '-' and rank or nil
        end

        -- Stores the rank of an order key with a new stamp.
        local function set_order(order, rank)
          call('HSET', orders, order, string.format('%.0f %s', next_of('stamp'), rank or '-'))
        end

        """;
}
