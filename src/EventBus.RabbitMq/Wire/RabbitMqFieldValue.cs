using System.Buffers.Binary;

namespace EventBus;

/// <summary>Checks encoded values of header fields, each with the byte of its type.</summary>
/// <remarks>Not recursive. Does not allocate memory.</remarks>
internal static class RabbitMqFieldValue
{
    // The client's reader calls itself once or twice per level. A few thousand levels would overflow the stack.
    private const int MaxDepth = 100;

    private const int LengthOfTable = RabbitMqHeaderTable.LengthOfTable;

    /// <summary>
    /// Gets the length of a value with its type, in bytes; -1 if the type is unknown or the value is incomplete.
    /// </summary>
    public static int LengthOf(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            return -1;
        }

        // The types of AMQP 0-9-1 as RabbitMQ uses them. S is a text, x are bytes, F is a table, A is a list.
        var contentLength = (char)value[0] switch
        {
            'V' => 0,
            't' or 'B' or 'b' => 1,
            's' or 'u' => 2,
            'I' or 'i' or 'f' => 4,
            'D' => 5,
            'l' or 'd' or 'T' => 8,
            'S' or 'x' or 'F' or 'A' when value.Length > LengthOfTable =>
                LengthOfTable + (long)BinaryPrimitives.ReadUInt32BigEndian(value[1..]),
            _ => -1,
        };
        return contentLength >= 0 && contentLength < value.Length ? 1 + (int)contentLength : -1;
    }

    /// <summary>True if the client can read a value and all nested values.</summary>
    public static bool IsReadable(ReadOnlySpan<byte> value)
    {
        if (!IsContainer(value))
        {
            return IsValid(value);
        }

        // The tables and lists that contain the current position, outermost first.
        Span<(int End, bool IsTable)> containers = stackalloc (int, bool)[MaxDepth];
        containers[0] = (value.Length, IsTable(value));
        var depth = 0;
        var offset = 1 + LengthOfTable;
        while (depth >= 0)
        {
            var (end, isTable) = containers[depth];
            if (offset == end)
            {
                depth--;
                continue;
            }

            if (isTable)
            {
                // The name of the field.
                offset += 1 + value[offset];
            }

            var length = offset < end ? LengthOf(value[offset..end]) : -1;
            if (length < 0)
            {
                return false;
            }

            var nested = value.Slice(offset, length);
            if (IsContainer(nested))
            {
                depth++;
                if (depth == MaxDepth)
                {
                    return false;
                }

                containers[depth] = (offset + length, IsTable(nested));
                offset += 1 + LengthOfTable;
                continue;
            }

            if (!IsValid(nested))
            {
                return false;
            }

            offset += length;
        }

        return true;
    }

    private static bool IsTable(ReadOnlySpan<byte> value) => (char)value[0] == 'F';

    private static bool IsContainer(ReadOnlySpan<byte> value) => (char)value[0] is 'F' or 'A';

    // A decimal of the client has at most 28 decimal places.
    private static bool IsValid(ReadOnlySpan<byte> value) => (char)value[0] != 'D' || value[1] <= 28;
}
