using System.Globalization;
using System.Text;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Converts the values of headers and properties, which other clients write with different types.</summary>
internal static class RabbitMqValue
{
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
                AmqpTimestamp stamp => RabbitMqTime.FromUnix(stamp.UnixTime).ToString("O", CultureInfo.InvariantCulture),
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
    /// Returns a property that other clients fill with any data, such as the bytes of a GUID; null if it is not text.
    /// </summary>
    public static string? UsableOrNull(string? text)
    {
        foreach (var c in text.AsSpan())
        {
            if (char.IsControl(c) || c is '\u2028' or '\u2029' or (>= '\uFDD0' and <= '\uFDEF') or >= '\uFFFD')
            {
                return null;
            }
        }

        return text;
    }
}
