using System.Buffers.Text;
using System.Globalization;

namespace EventBus;

/// <summary>Reads times, which other clients write in several formats.</summary>
internal static class RabbitMqTime
{
    // The last second of the year 9999.
    private const long MaxUnixSeconds = 253_402_300_799;

    /// <summary>
    /// Converts a Unix time of another client. The unit is seconds, or milliseconds or a smaller unit if the time would
    /// be after the year 9999.
    /// </summary>
    public static DateTimeOffset FromUnix(long time)
    {
        var seconds = Math.Max(0, time);
        while (seconds > MaxUnixSeconds)
        {
            seconds /= 1_000;
        }

        return DateTimeOffset.FromUnixTimeSeconds(seconds);
    }

    /// <summary>Converts the value of a header to a time; false if it is not a time.</summary>
    public static bool TryRead(object value, out DateTimeOffset time)
    {
        // The format that the bus writes is parsed without creating a string.
        if (value is byte[] bytes && bytes.AsSpan().EndsWith("Z"u8))
        {
            var isRoundTrip = Utf8Parser.TryParse(bytes, out time, out var length, 'O');
            if (isRoundTrip && length == bytes.Length)
            {
                return true;
            }
        }

        var text = RabbitMqValue.Text(value);
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time))
        {
            return true;
        }

        // Some clients write the number of seconds or milliseconds.
        var isNumber = long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        time = FromUnix(number);
        return isNumber;
    }
}
