using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Represents an entry of a stream: part of a raw reply, whose fields are not copied, or an entry that the client
/// parsed.
/// </summary>
internal readonly struct RedisEntry
{
    // A RedisResult (an id, and a list of alternating names and values), or a boxed StreamEntry.
    private readonly object source;

    public RedisEntry(RedisResult reply) => source = reply;

    private RedisEntry(StreamEntry entry) => source = entry;

    public RedisValue Id => source is RedisResult reply ? (RedisValue)reply[0] : ((StreamEntry)source).Id;

    /// <summary>The total size of the fields in bytes.</summary>
    public long Bytes
    {
        get
        {
            var bytes = 0L;
            if (source is RedisResult reply)
            {
                var values = reply[1];
                for (var i = 0; i < values.Length; i++)
                {
                    bytes += ((RedisValue)values[i]).Length();
                }
            }
            else
            {
                bytes = ((StreamEntry)source).Values.Sum(each => each.Name.Length() + each.Value.Length());
            }

            return bytes;
        }
    }

    public static implicit operator RedisEntry(StreamEntry entry) => new(entry);

    /// <summary>Reads the fields that the bus uses.</summary>
    /// <param name="texts">Caches strings that most entries have in common.</param>
    public EntryFields ReadFields(RedisStringCache texts)
    {
        var fields = new EntryFields(texts);
        if (source is RedisResult reply)
        {
            var values = reply[1];
            for (var i = 0; i + 1 < values.Length; i += 2)
            {
                fields.Set(Bytes((RedisValue)values[i]), (RedisValue)values[i + 1]);
            }
        }
        else
        {
            foreach (var field in ((StreamEntry)source).Values)
            {
                fields.Set(Bytes(field.Name), field.Value);
            }
        }

        return fields;

        static ReadOnlySpan<byte> Bytes(RedisValue value) => ((ReadOnlyMemory<byte>)value).Span;
    }
}
