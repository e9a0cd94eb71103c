using System.Buffers.Binary;

namespace EventBus;

/// <summary>Finds the table of headers in the payload of a header frame.</summary>
internal static class RabbitMqHeaderTable
{
    /// <summary>The number of bytes of the length that precedes a table.</summary>
    public const int LengthOfTable = 4;

    // The class, the weight and the size of the body, followed by the property flags and the properties.
    private const int FlagsAt = 12;
    private const int PropertiesAt = FlagsAt + 2;
    private const int ContentType = 0x8000;
    private const int ContentEncoding = 0x4000;
    private const int Headers = 0x2000;

    /// <summary>Gets the start of the table and the length of its entries. Returns false if there is none.</summary>
    public static bool TryFind(ReadOnlySpan<byte> payload, out int tableAt, out int length)
    {
        (tableAt, length) = (PropertiesAt, 0);
        if (payload.Length < PropertiesAt)
        {
            return false;
        }

        var flags = BinaryPrimitives.ReadUInt16BigEndian(payload[FlagsAt..]);
        foreach (var text in (ReadOnlySpan<int>)[ContentType, ContentEncoding])
        {
            if ((flags & text) != 0 && tableAt < payload.Length)
            {
                tableAt += 1 + payload[tableAt];
            }
        }

        if ((flags & Headers) == 0 || tableAt + LengthOfTable > payload.Length)
        {
            return false;
        }

        length = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(payload[tableAt..]), (uint)(payload.Length - tableAt - LengthOfTable));
        return true;
    }
}
