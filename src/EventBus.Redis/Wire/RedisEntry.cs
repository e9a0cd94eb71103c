using StackExchange.Redis;

namespace EventBus;

/// <summary>An entry of a stream: of a reply as it came, so that its fields are not copied, or as the client made it of one.</summary>
internal readonly struct RedisEntry
{
    // A RedisResult (an id, and a list of names and values in turns), or a boxed StreamEntry.
    private readonly object source;

    public RedisEntry(RedisResult reply) => source = reply;

    private RedisEntry(StreamEntry entry) => source = entry;

    public RedisValue Id => source is RedisResult reply ? (RedisValue)reply[0] : ((StreamEntry)source).Id;

    /// <summary>How many bytes its fields hold.</summary>
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

    /// <summary>What its fields mean.</summary>
    /// <param name="texts">Remembers what most entries say.</param>
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
