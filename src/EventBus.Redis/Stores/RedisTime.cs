using System.Globalization;
using StackExchange.Redis;

namespace EventBus;

/// <summary>Times in the stores: ticks of 100 ns since the Unix epoch. As the score of a sorted set, which is a double, they are good to 200 ns.</summary>
internal static class RedisTime
{
    public static long Write(DateTimeOffset time) => time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks;

    public static string WriteText(DateTimeOffset time) => Write(time).ToString(CultureInfo.InvariantCulture);

    /// <exception cref="FormatException">It is no time.</exception>
    public static DateTimeOffset ReadText(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var ticks)
        && ticks >= -DateTimeOffset.UnixEpoch.UtcTicks && ticks <= DateTimeOffset.MaxValue.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks
            ? DateTimeOffset.UnixEpoch.AddTicks(ticks)
            : throw new FormatException($"'{text}' is no time.");

    /// <summary>Reads a score; never throws. Null for none.</summary>
    public static DateTimeOffset? ReadScore(RedisResult score)
    {
        if (score.IsNull || !double.TryParse((string?)score, NumberStyles.Float, CultureInfo.InvariantCulture, out var ticks) || double.IsNaN(ticks))
        {
            return null;
        }

        return ticks <= -DateTimeOffset.UnixEpoch.UtcTicks ? DateTimeOffset.MinValue
            : ticks >= DateTimeOffset.MaxValue.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks ? DateTimeOffset.MaxValue
            : DateTimeOffset.UnixEpoch.AddTicks((long)ticks);
    }
}
