using System.Buffers;
using System.Text.Json;

namespace EventBus;

/// <summary>
/// Pools the buffer and the JSON writer that serialize messages, so that a message allocates only its own bytes.
/// Thread-safe. Keeps at most one pair, and none with a buffer larger than 64 KB.
/// </summary>
internal sealed class RedisPubSubWriterPool
{
    private const int InitialBytes = 1024;
    private const int MaxPooledBytes = 64 * 1024;

    private Pair? spare;

    public (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer) Take()
    {
        var pair = Interlocked.Exchange(ref spare, null) ?? Create();
        return (pair.Buffer, pair.Writer);
    }

    public void Return(ArrayBufferWriter<byte> buffer, Utf8JsonWriter writer)
    {
        if (buffer.Capacity <= MaxPooledBytes && Volatile.Read(ref spare) is null)
        {
            buffer.ResetWrittenCount();
            writer.Reset();
            Volatile.Write(ref spare, new Pair(buffer, writer));
        }
    }

    private static Pair Create()
    {
        var buffer = new ArrayBufferWriter<byte>(InitialBytes);
        return new Pair(buffer, new Utf8JsonWriter(buffer, RedisPubSubWireFormat.WriterOptions));
    }

    private sealed record Pair(ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer);
}
