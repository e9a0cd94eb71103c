using StackExchange.Redis;

namespace EventBus;

/// <summary>Represents an entry of a stream, as it is in an answer of Redis.</summary>
/// <param name="Id">The id in the stream.</param>
/// <param name="Fields">The alternating names and values of the fields. They are not copied.</param>
internal readonly record struct RedisEntry(RedisValue Id, RedisResult Fields)
{
    // The names of fields are short. Their size is not worth reading each of them.
    private const int BytesOfName = 16;

    /// <summary>The total size of the fields in bytes, with an estimate for their names.</summary>
    public long Bytes
    {
        get
        {
            var (bytes, count) = (0L, Fields.Length);
            for (var i = 1; i < count; i += 2)
            {
                bytes += BytesOfName + ((RedisValue)Fields[i]).Length();
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
