namespace EventBus;

/// <summary>
/// Contains the first lines of every script that writes to several keys. They refuse the call if a key has another type
/// because something else has overwritten it.
/// </summary>
/// <remarks>
/// Redis does not undo the writes of a script that fails. A script that failed at its second write would leave an entry
/// that is in no index, and the repeat of the call would find the entry and take it for a complete one.
/// </remarks>
internal static class RedisKeyTypes
{
    /// <summary>
    /// Expects a table <c>types</c> with the types of KEYS in their order. A key without a type in the table must be a
    /// sorted set.
    /// </summary>
    public const string Check = """

        for i, key in ipairs(KEYS) do
          local wanted, found = types[i] or 'zset', redis.call('TYPE', key).ok
          if found ~= wanted and found ~= 'none' then
            return redis.error_reply('WRONGTYPE The key ' .. key .. ' holds a ' .. found .. ' and not a ' .. wanted
              .. ': something else has overwritten it. Remove it.')
          end
        end

        """;
}
