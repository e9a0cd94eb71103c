using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Where a subscription's group stands in its streams: written down beside them, so that a group that was destroyed is made again where it was. Thread-safe; every failure is thrown.</summary>
internal sealed class RedisPlace(RedisGroup group, RedisTopology names, ILogger log)
{
    // Up to here everything is acknowledged: what comes before the oldest pending entry, or, when nothing is pending, up to the last that was read. An opening parenthesis means: before it.
    private const string NoteScript = """
        local groups = redis.pcall('XINFO', 'GROUPS', KEYS[2])
        if groups.err then
          return false
        end
        for _, each in ipairs(groups) do
          local info = {}
          for i = 1, #each, 2 do
            info[each[i]] = each[i + 1]
          end
          if info['name'] == ARGV[1] then
            local place = info['last-delivered-id']
            if info['pending'] > 0 then
              place = '(' .. redis.call('XPENDING', KEYS[2], ARGV[1])[2]
            end
            redis.call('HSET', KEYS[1], ARGV[2], place)
          end
        end
        return false
        """;

    private readonly ConcurrentDictionary<RedisKey, RedisStreamId> seen = new();
    private readonly RedisKey key = names.PlacesOf(group.Name);

    /// <summary>Creates the group where it is missing, and the streams with it.</summary>
    /// <param name="mending">It was there. Otherwise it begins, where nothing is known of it, at what comes from now on.</param>
    public async Task CreateAsync(bool mending)
    {
        var known = (await group.Database.HashGetAllAsync(key)).ToDictionary(field => field.Name, field => field.Value);
        foreach (var stream in group.Streams)
        {
            await CreateAsync(stream, known.GetValueOrDefault(names.WordOf(stream)), mending);
        }
    }

    /// <summary>An entry was read.</summary>
    public void Seen(RedisKey stream, RedisValue id)
    {
        if (RedisStreamId.TryParse(id, out var read))
        {
            seen.AddOrUpdate(stream, read, (_, before) => read > before ? read : before);
        }
    }

    /// <summary>Writes down where the group stands.</summary>
    public Task NoteAsync() => Task.WhenAll(group.Streams.Select(NoteAsync));

    private static RedisStreamId? Read(RedisValue note)
    {
        if (note.IsNull)
        {
            return null;
        }

        var text = (string)note!;
        return text.StartsWith('(') ? RedisStreamId.Parse(text[1..]).Before() : RedisStreamId.Parse(text);
    }

    private async Task CreateAsync(RedisKey stream, RedisValue note, bool mending)
    {
        var (place, wasThere) = (Read(note), mending || !note.IsNull);
        var end = wasThere ? await EndAsync(stream) : null;
        var last = seen.TryGetValue(stream, out var read) && read > place.GetValueOrDefault() ? read : place;
        var isBehind = last is { } reached && (end is null || end < reached);
        var position = !wasThere ? RedisGroup.End : place is null || isBehind ? RedisGroup.Start : (RedisValue)place.Value.ToString();
        try
        {
            await group.Database.StreamCreateConsumerGroupAsync(stream, group.Name, position, createStream: true);
        }
        catch (RedisServerException exception) when (exception.Message.StartsWith("BUSYGROUP", StringComparison.Ordinal))
        {
            // It was there before: it keeps its place.
            return;
        }

        if (wasThere)
        {
            log.GroupVanished(group.Name, stream!, position!);
        }

        if (isBehind)
        {
            log.DataLost(stream!, $"{last}", end?.ToString() ?? "nothing");
            seen.TryRemove(stream, out _);
        }

        await NoteAsync(stream);
    }

    private Task NoteAsync(RedisKey stream) => group.Database.ScriptEvaluateAsync(NoteScript, [key, stream], [group.Name, names.WordOf(stream)]);

    /// <summary>The last id that the stream ever had; null when there is no stream.</summary>
    private async Task<RedisStreamId?> EndAsync(RedisKey stream) =>
        await group.Database.KeyExistsAsync(stream) ? RedisStreamId.Parse((await group.Database.StreamInfoAsync(stream)).LastGeneratedId) : null;
}
