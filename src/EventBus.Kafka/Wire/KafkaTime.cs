using System.Buffers.Text;
using System.Globalization;
using Confluent.Kafka;

namespace EventBus;

/// <summary>Reads and writes times.</summary>
internal static class KafkaTime
{
    // 2026-11-30T21:00:00.0000000Z.
    private const int MaxBytes = 28;

    /// <summary>Writes a time as UTC.</summary>
    public static byte[] Write(DateTimeOffset time)
    {
        Span<byte> buffer = stackalloc byte[MaxBytes];
        Utf8Formatter.TryFormat(time.UtcDateTime, buffer, out var length, 'O');
        return buffer[..length].ToArray();
    }

    /// <summary>Reads a time; false if the bytes are no time.</summary>
    public static bool TryRead(byte[] bytes, out DateTimeOffset time)
    {
        // The format that the bus writes is parsed without creating a string. Any other valid time is accepted too.
        if (bytes is [.., (byte)'Z'] && Utf8Parser.TryParse(bytes, out time, out var length, 'O') && length == bytes.Length)
        {
            return true;
        }

        time = default;
        return KafkaText.TryRead(bytes, out var text)
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
    }

    /// <summary>Gets the time of a record; the Unix epoch if it has none that .NET can represent.</summary>
    public static DateTimeOffset Of(Timestamp timestamp)
    {
        var isKnown = timestamp.Type != TimestampType.NotAvailable
            && timestamp.UnixTimestampMs > 0
            && timestamp.UnixTimestampMs <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds();
        return isKnown ? DateTimeOffset.FromUnixTimeMilliseconds(timestamp.UnixTimestampMs) : DateTimeOffset.UnixEpoch;
    }
}
