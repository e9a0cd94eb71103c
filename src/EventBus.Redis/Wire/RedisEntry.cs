using StackExchange.Redis;

namespace EventBus;

/// <summary>Represents an entry of a stream, as it is in an answer of Redis.</summary>
/// <param name="Id">The id in the stream.</param>
/// <param name="Fields">The alternating names and values of the fields. They are not copied.</param>
internal readonly record struct RedisEntry(RedisValue Id, RedisResult Fields)
{
    /// <summary>The total size of the fields in bytes.</summary>
    public long Bytes
    {
        get
        {
            var bytes = 0L;
            for (var i = 0; i < Fields.Length; i++)
            {
                bytes += ((RedisValue)Fields[i]).Length();
            }

            return bytes;
        }
    }
}
