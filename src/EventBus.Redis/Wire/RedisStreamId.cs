using System.Globalization;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Represents the id of a stream entry: milliseconds, and a number that distinguishes entries of the same millisecond.
/// Compared in that order.
/// </summary>
internal readonly record struct RedisStreamId(ulong Milliseconds, ulong Number) : IComparable<RedisStreamId>
{
    public static bool operator >(RedisStreamId left, RedisStreamId right) => left.CompareTo(right) > 0;

    public static bool operator <(RedisStreamId left, RedisStreamId right) => left.CompareTo(right) < 0;

    public static bool TryParse(RedisValue value, out RedisStreamId id)
    {
        id = default;
        var text = ((ReadOnlyMemory<byte>)value).Span;
        var dash = text.IndexOf((byte)'-');
        if (dash <= 0
            || !ulong.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            || !ulong.TryParse(text[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return false;
        }

        id = new(milliseconds, number);
        return true;
    }

    public static RedisStreamId Parse(RedisValue value) =>
        TryParse(value, out var id) ? id : throw new FormatException($"'{value}' is not the id of a stream entry.");

    /// <summary>Returns the greatest id that is smaller than this one; 0-0 for 0-0.</summary>
    public RedisStreamId Before() => (Milliseconds, Number) switch
    {
        (0, 0) => this,
        (_, 0) => new(Milliseconds - 1, ulong.MaxValue),
        _ => this with { Number = Number - 1 },
    };

    public int CompareTo(RedisStreamId other) =>
        Milliseconds == other.Milliseconds ? Number.CompareTo(other.Number) : Milliseconds.CompareTo(other.Milliseconds);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Milliseconds}-{Number}");
}
