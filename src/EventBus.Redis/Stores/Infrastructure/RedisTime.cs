using System.Globalization;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Converts times to and from their stored format: ticks of 100 ns since the Unix epoch. The score of a sorted set is a
/// double, so times are accurate to 200 ns there.
/// </summary>
internal static class RedisTime
{
    private static readonly long MinTicks = -DateTimeOffset.UnixEpoch.UtcTicks;
    private static readonly long MaxTicks = DateTimeOffset.MaxValue.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks;

    public static long Write(DateTimeOffset time) => time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks;

    public static string WriteText(DateTimeOffset time) => Write(time).ToString(CultureInfo.InvariantCulture);

    /// <summary>Reads a time.</summary>
    /// <exception cref="FormatException">The text is not a valid time.</exception>
    public static DateTimeOffset ReadText(string text)
    {
        if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var ticks)
            || ticks < MinTicks
            || ticks > MaxTicks)
        {
            throw new FormatException($"'{text}' is no time.");
        }

        return DateTimeOffset.UnixEpoch.AddTicks(ticks);
    }

    /// <summary>Reads the score of a sorted set; never throws. Returns null if it is missing or not a number.</summary>
    public static DateTimeOffset? ReadScore(RedisResult score)
    {
        if (score.IsNull
            || !double.TryParse((string?)score, NumberStyles.Float, CultureInfo.InvariantCulture, out var ticks)
            || double.IsNaN(ticks))
        {
            return null;
        }

        if (ticks <= MinTicks)
        {
            return DateTimeOffset.MinValue;
        }

        return ticks >= MaxTicks ? DateTimeOffset.MaxValue : DateTimeOffset.UnixEpoch.AddTicks((long)ticks);
    }
}
