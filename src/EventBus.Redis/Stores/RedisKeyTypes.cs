namespace EventBus;

/// <summary>The first lines of every script that writes to several keys: they refuse the call while a key has another type, because somebody has overwritten it.</summary>
/// <remarks>
/// Redis does not undo what a script has written before it fails. A script that fails at its second write would leave an entry that is in no index, and the repeat of the call would take it for one that is kept.
/// </remarks>
internal static class RedisKeyTypes
{
    /// <summary>For a table <c>types</c> with the types of KEYS in their order. What it does not name is a sorted set.</summary>
    public const string Check = """

        for i, key in ipairs(KEYS) do
          local wanted, found = types[i] or 'zset', redis.call('TYPE', key).ok
          if found ~= wanted and found ~= 'none' then
            return redis.error_reply('WRONGTYPE The key ' .. key .. ' holds a ' .. found .. ' and not a ' .. wanted .. ': something else has overwritten it. Remove it.')
          end
        end

        """;
}
