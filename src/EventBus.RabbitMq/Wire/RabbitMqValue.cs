using System.Globalization;
using System.Text;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Converts the values of headers and properties, which other clients write with different types.</summary>
internal static class RabbitMqValue
{
    // The last second of the year 9999.
    private const long MaxUnixSeconds = 253_402_300_799;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Converts a header to text; null if that is not possible.</summary>
    public static string? Text(object? value)
    {
        try
        {
            return value switch
            {
                byte[] bytes => StrictUtf8.GetString(bytes),
                BinaryTableValue binary => StrictUtf8.GetString(binary.Bytes),
                AmqpTimestamp stamp => FromUnix(stamp.UnixTime).ToString("O", CultureInfo.InvariantCulture),
                bool flag => flag ? "true" : "false",
                IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
                _ => null,
            };
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

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
}
