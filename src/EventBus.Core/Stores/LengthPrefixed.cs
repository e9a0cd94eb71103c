using System.Buffers;
using System.Buffers.Binary;

namespace EventBus.Stores;

/// <summary>
/// Writes parts of a value, each as its length (32-bit little-endian) and its bytes, and reads them one by one.
/// </summary>
internal static class LengthPrefixed
{
    public static void Write(ArrayBufferWriter<byte> buffer, ReadOnlySpan<byte> part)
    {
        BinaryPrimitives.WriteInt32LittleEndian(buffer.GetSpan(sizeof(int)), part.Length);
        buffer.Advance(sizeof(int));
        buffer.Write(part);
    }

    /// <summary>Reads the first part of the rest. Returns false if the rest is cut off or was changed.</summary>
    /// <param name="rest">The bytes that were not read yet; without the part when it was read.</param>
    /// <param name="part">The part.</param>
    public static bool TryRead(ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> part)
    {
        part = default;
        if (!BinaryPrimitives.TryReadInt32LittleEndian(rest, out var length) || length < 0 || length > rest.Length - sizeof(int))
        {
            return false;
        }

        part = rest.Slice(sizeof(int), length);
        rest = rest[(sizeof(int) + length)..];
        return true;
    }
}
