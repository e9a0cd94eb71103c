using StackExchange.Redis;

namespace EventBus;

/// <summary>Represents an entry of a stream, as it is in an answer of Redis. Nothing is copied.</summary>
internal readonly struct RedisEntry
{
    // The fields are in one of two forms: an answer of a command that the client does not know (a list of alternating
    // names and values), or the pairs of a command that it knows.
    private readonly RedisResult? list;
    private readonly NameValueEntry[]? pairs;

    public RedisEntry(RedisValue id, RedisResult fields)
    {
        Id = id;
        list = fields;
    }

    public RedisEntry(in StreamEntry entry)
    {
        Id = entry.Id;
        pairs = entry.Values;
    }

    /// <summary>The id in the stream.</summary>
    public RedisValue Id { get; }

    /// <summary>The number of fields.</summary>
    public int FieldCount => pairs?.Length ?? (list!.Length / 2);

    /// <summary>The total size of the fields in bytes: of names and values, because a name can be large too.</summary>
    public long Bytes
    {
        get
        {
            var (bytes, count) = (0L, FieldCount);
            for (var i = 0; i < count; i++)
            {
                bytes += NameAt(i).Length() + ValueAt(i).Length();
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
            foreach (ref readonly var entry in entries.AsSpan())
            {
                bytes += entry.Bytes;
            }
        }

        return (count, bytes);
    }

    /// <summary>Gets the name of a field.</summary>
    public RedisValue NameAt(int index) => pairs is null ? (RedisValue)list![2 * index] : pairs[index].Name;

    /// <summary>Gets the value of a field.</summary>
    public RedisValue ValueAt(int index) => pairs is null ? (RedisValue)list![(2 * index) + 1] : pairs[index].Value;
}
