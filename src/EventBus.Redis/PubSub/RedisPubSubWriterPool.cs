using System.Buffers;
using System.Text.Json;

namespace EventBus;

/// <summary>Lends what a message is written with, so that each costs no more than its own bytes. Thread-safe; keeps one, and none that has become large.</summary>
internal sealed class RedisPubSubWriterPool
{
    private const int Initial = 1024;
    private const int MostKept = 64 * 1024;

    private Pair? spare;

    public (ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer) Take()
    {
        var pair = Interlocked.Exchange(ref spare, null) ?? Make();
        return (pair.Buffer, pair.Writer);
    }

    public void GiveBack(ArrayBufferWriter<byte> buffer, Utf8JsonWriter writer)
    {
        if (buffer.Capacity <= MostKept && Volatile.Read(ref spare) is null)
        {
            buffer.ResetWrittenCount();
            writer.Reset();
            Volatile.Write(ref spare, new Pair(buffer, writer));
        }
    }

    private static Pair Make()
    {
        var buffer = new ArrayBufferWriter<byte>(Initial);
        return new Pair(buffer, new Utf8JsonWriter(buffer, RedisPubSubWireFormat.Writing));
    }

    private sealed record Pair(ArrayBufferWriter<byte> Buffer, Utf8JsonWriter Writer);
}
