using System.Diagnostics;
using System.Text;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Computes the size of a content header. One frame contains all properties and headers of a message, and a broker
/// closes a connection that sends a larger frame than negotiated.
/// </summary>
internal static class RabbitMqFrameLimit
{
    // Bytes: the type, channel and length before the payload (7), and the end marker (1); the class, weight, body size
    // and property flags in the payload (2 + 2 + 8 + 2); and the number of the publish, a header that the client may
    // add (64).
    private const int Overhead = 7 + 1 + 2 + 2 + 8 + 2 + 64;

    // The headers that the client adds if its traces are collected: the trace, and the baggage, which the .NET
    // propagator truncates at 8,192 characters.
    private const int TraceBytes = 1_024;
    private const int BaggageBytes = 9_216;

    private const int LengthOfTable = 4;

    // Has listeners if the traces of the client are collected: listeners select sources by name.
    private static readonly ActivitySource ClientTraces = new("RabbitMQ.Client.Publisher");

    /// <summary>Gets the reason why a message cannot be sent over a connection; null if it can.</summary>
    /// <param name="properties">The properties and headers of the message.</param>
    /// <param name="maxFrame">The largest negotiated frame size in bytes; 0 for no limit.</param>
    public static string? FindProblem(BasicProperties properties, uint maxFrame)
    {
        var size = Overhead + ClientHeaderBytes() + SizeOf(properties);
        return maxFrame == 0 || size <= maxFrame
            ? null
            : $"The attributes and headers of the event take {size:N0} bytes, and RabbitMQ carries them in one frame, of at most "
                + $"{maxFrame:N0} bytes on this connection (frame_max). Use fewer or shorter ones, or raise frame_max.";
    }

    /// <summary>Gets the number of bytes that the headers of a message may take on a connection.</summary>
    /// <param name="properties">The properties of the message, which take a part of the frame.</param>
    /// <param name="maxFrame">The largest negotiated frame size in bytes; 0 for no limit.</param>
    public static int RoomForHeaders(BasicProperties properties, uint maxFrame)
    {
        if (maxFrame is 0 or > int.MaxValue)
        {
            return int.MaxValue;
        }

        var headers = properties.Headers?.Sum(SizeOf) ?? 0;
        var otherProperties = SizeOf(properties) - headers;
        return (int)maxFrame - Overhead - ClientHeaderBytes() - otherProperties;
    }

    /// <summary>Gets the number of bytes that a header takes.</summary>
    public static int SizeOf(KeyValuePair<string, object?> header) => 1 + Encoding.UTF8.GetByteCount(header.Key) + 1 + header.Value switch
    {
        null => 0,
        string text => sizeof(uint) + Encoding.UTF8.GetByteCount(text),
        int => sizeof(int),
        long => sizeof(long),
        var other => throw new ArgumentException($"A header of the type {other.GetType()} is not written by the bus."),
    };

    private static int SizeOf(BasicProperties properties)
    {
        var size = properties.Headers is { } headers ? LengthOfTable + headers.Sum(SizeOf) : 0;
        foreach (var text in (ReadOnlySpan<string?>)[properties.MessageId, properties.ContentType])
        {
            size += text is null ? 0 : 1 + Encoding.UTF8.GetByteCount(text);
        }

        // The delivery mode and the timestamp.
        return size + 1 + sizeof(ulong);
    }

    /// <summary>Gets the maximum size of the headers that the client adds for traces.</summary>
    private static int ClientHeaderBytes()
    {
        if (!ClientTraces.HasListeners())
        {
            return 0;
        }

        var hasBaggage = Activity.Current?.Baggage.Any() == true;
        return hasBaggage ? TraceBytes + BaggageBytes : TraceBytes;
    }
}
