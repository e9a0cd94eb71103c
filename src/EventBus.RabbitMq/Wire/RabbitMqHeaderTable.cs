using System.Buffers.Binary;

namespace EventBus;

/// <summary>Finds the table of headers in the payload of a header frame.</summary>
internal static class RabbitMqHeaderTable
{
    /// <summary>The number of bytes of the length with which a table, a list or a long text begins.</summary>
    public const int LengthOfTable = 4;

    // The payload: the class, the weight and the size of the body (12 bytes), the property flags (2 bytes), and then
    // the properties whose flags are set, in the order of the flags.
    private const int FlagsOffset = 12;
    private const int PropertiesOffset = FlagsOffset + 2;
    private const int ContentTypeFlag = 0x8000;
    private const int ContentEncodingFlag = 0x4000;
    private const int HeadersFlag = 0x2000;

    /// <summary>Finds the table of headers.</summary>
    /// <param name="payload">The payload of the header frame.</param>
    /// <param name="tableOffset">The offset of the table, which begins with its length.</param>
    /// <param name="length">The number of bytes of the entries, at most up to the end of the payload.</param>
    /// <returns>False if there is no table.</returns>
    public static bool TryFind(ReadOnlySpan<byte> payload, out int tableOffset, out int length)
    {
        tableOffset = PropertiesOffset;
        length = 0;
        if (payload.Length < PropertiesOffset)
        {
            return false;
        }

        // The content type and the content encoding are short strings: one byte of length, and the text.
        var flags = BinaryPrimitives.ReadUInt16BigEndian(payload[FlagsOffset..]);
        foreach (var flag in (ReadOnlySpan<int>)[ContentTypeFlag, ContentEncodingFlag])
        {
            if ((flags & flag) != 0 && tableOffset < payload.Length)
            {
                tableOffset += 1 + payload[tableOffset];
            }
        }

        if ((flags & HeadersFlag) == 0 || tableOffset + LengthOfTable > payload.Length)
        {
            return false;
        }

        var declaredLength = BinaryPrimitives.ReadUInt32BigEndian(payload[tableOffset..]);
        var available = (uint)(payload.Length - tableOffset - LengthOfTable);
        length = (int)Math.Min(declaredLength, available);
        return true;
    }
}
