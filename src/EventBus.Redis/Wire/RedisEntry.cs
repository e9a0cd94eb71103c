using StackExchange.Redis;

namespace EventBus;

/// <summary>Represents an entry of a stream, as it is in an answer of Redis.</summary>
/// <param name="Id">The id in the stream.</param>
/// <param name="Fields">The alternating names and values of the fields. They are not copied.</param>
internal readonly record struct RedisEntry(RedisValue Id, RedisResult Fields)
{
    /// <summary>The total size of the fields in bytes: of names and values, because a name can be large too.</summary>
    public long Bytes
    {
        get
        {
            var (bytes, count) = (0L, Fields.Length);
            for (var i = 0; i < count; i++)
            {
                bytes += ((RedisValue)Fields[i]).Length();
            }

            return bytes;
        }
    }

    /// <summary>Adds up the entries of an answer, and their sizes.</summary>
    public static (int Entries, long Bytes) Sum(IReadOnlyList<(RedisKey Stream, RedisEntry[] Entries)> found)
    {
        var (count, bytes) = (0, 0L);
        foreach (var (_, entries) in found)
        {
            count += entries.Length;
            foreach (var entry in entries)
            {
                bytes += entry.Bytes;
            }
        }

        return (count, bytes);
    }
}
