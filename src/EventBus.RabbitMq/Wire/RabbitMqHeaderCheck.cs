using System.Buffers;
using System.Buffers.Binary;

namespace EventBus;

/// <summary>
/// Removes unreadable fields from a content header: fields nested so deeply that the client's reader overflows the
/// stack, and fields of an unknown type or value, for which the client closes the connection.
/// </summary>
/// <remarks>Not recursive. Does not allocate memory if all fields are readable.</remarks>
internal static class RabbitMqHeaderCheck
{
    // The client's reader calls itself once or twice per level. A few thousand levels would overflow the stack.
    private const int MaxDepth = 100;

    // The index of x-death among the broker's header names.
    private const int DeathPlace = 2;

    // The class, the weight and the size of the body, followed by the property flags and the properties.
    private const int FlagsAt = 12;
    private const int PropertiesAt = FlagsAt + 2;
    private const int ContentType = 0x8000;
    private const int ContentEncoding = 0x4000;
    private const int Headers = 0x2000;
    private const int LengthOfTable = 4;

    // The bytes of RabbitMqHeaderNames.Unreadable.
    private static ReadOnlySpan<byte> MarkerName => "eventbus-unreadable"u8;

    private enum Field
    {
        Good,

        // The client cannot read the field, and it can be removed.
        Bad,

        // The field is incomplete, so that the fields after it cannot be found.
        Torn,
    }

    /// <summary>Returns a readable payload of a header frame; null if the payload needs no change.</summary>
    public static byte[]? Repair(ReadOnlySpan<byte> payload)
    {
        if (!TryFindTable(payload, out var tableAt, out var length))
        {
            return null;
        }

        var table = payload.Slice(tableAt + LengthOfTable, length);
        var seen = 0;
        for (var at = 0; at < table.Length;)
        {
            if (Read(table[at..], ref seen, out var size) != Field.Good)
            {
                return Repair(payload, tableAt, table);
            }

            at += size;
        }

        return null;
    }

    private static bool TryFindTable(ReadOnlySpan<byte> payload, out int tableAt, out int length)
    {
        (tableAt, length) = (PropertiesAt, 0);
        if (payload.Length < PropertiesAt)
        {
            return false;
        }

        var flags = BinaryPrimitives.ReadUInt16BigEndian(payload[FlagsAt..]);
        foreach (var text in (ReadOnlySpan<int>)[ContentType, ContentEncoding])
        {
            tableAt += (flags & text) != 0 && tableAt < payload.Length ? 1 + payload[tableAt] : 0;
        }

        if ((flags & Headers) == 0 || tableAt + LengthOfTable > payload.Length)
        {
            return false;
        }

        length = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(payload[tableAt..]), (uint)(payload.Length - tableAt - LengthOfTable));
        return true;
    }

    /// <summary>Creates the payload again with the readable fields of the table and, if needed, the marker.</summary>
    private static byte[] Repair(ReadOnlySpan<byte> payload, int tableAt, ReadOnlySpan<byte> table)
    {
        var good = new ArrayBufferWriter<byte>(table.Length);
        var (seen, bad) = (0, default(byte[]));
        for (var at = 0; at < table.Length;)
        {
            var before = seen;
            var field = Read(table[at..], ref seen, out var size);
            var entry = table.Slice(at, field == Field.Torn ? table.Length - at : size);
            var name = entry.Slice(1, Math.Min(entry[0], entry.Length - 1));
            if (field == Field.Good)
            {
                good.Write(entry);
            }
            else if (!name.SequenceEqual(MarkerName) && (field == Field.Torn
                || PlaceOf(name) < 0
                || (PlaceOf(name) == DeathPlace && before != seen && !TryKeepBeginning(entry, name, good))))
            {
                bad ??= name.ToArray();
            }

            at += entry.Length;
        }

        if (bad is not null)
        {
            good.Write<byte>([(byte)MarkerName.Length, .. MarkerName, (byte)'S', 0, 0, 0, (byte)bad.Length, .. bad]);
        }

        var repaired = new byte[tableAt + LengthOfTable + good.WrittenCount + (payload.Length - tableAt - LengthOfTable - table.Length)];
        payload[..tableAt].CopyTo(repaired);
        BinaryPrimitives.WriteUInt32BigEndian(repaired.AsSpan(tableAt), (uint)good.WrittenCount);
        good.WrittenSpan.CopyTo(repaired.AsSpan(tableAt + LengthOfTable));
        payload[(tableAt + LengthOfTable + table.Length)..].CopyTo(repaired.AsSpan(tableAt + LengthOfTable + good.WrittenCount));
        return repaired;
    }

    /// <summary>
    /// Keeps the first entries of an x-death list: the broker's own, which precede those of the publisher.
    /// </summary>
    private static bool TryKeepBeginning(ReadOnlySpan<byte> entry, ReadOnlySpan<byte> name, ArrayBufferWriter<byte> good)
    {
        var value = entry[(1 + name.Length)..];
        if ((char)value[0] != 'A')
        {
            return false;
        }

        var items = value[(1 + LengthOfTable)..];
        var kept = 0;
        while (kept < items.Length && LengthOf(items[kept..]) is > 0 and var length && IsReadable(items.Slice(kept, length)))
        {
            kept += length;
        }

        if (kept == 0)
        {
            return false;
        }

        good.Write(entry[..(2 + name.Length)]);
        BinaryPrimitives.WriteInt32BigEndian(good.GetSpan(LengthOfTable), kept);
        good.Advance(LengthOfTable);
        good.Write(items[..kept]);
        return true;
    }

    /// <summary>Reads one entry of the outermost table.</summary>
    /// <param name="entries">The entry and the data after it.</param>
    /// <param name="seen">Bit flags of the broker's header names that were already found.</param>
    /// <param name="size">The length of the entry in bytes; 0 if it is torn.</param>
    private static Field Read(ReadOnlySpan<byte> entries, ref int seen, out int size)
    {
        size = 0;
        if (entries.Length < 2 + entries[0])
        {
            return Field.Torn;
        }

        var name = entries.Slice(1, entries[0]);
        var valueAt = 1 + name.Length;
        var value = entries[valueAt..];
        var length = LengthOf(value);
        if (length < 0)
        {
            return Field.Torn;
        }

        size = valueAt + length;
        return IsReserved(name, ref seen) || !IsReadable(value[..length]) ? Field.Bad : Field.Good;
    }

    private static bool IsReserved(ReadOnlySpan<byte> name, ref int seen)
    {
        var place = PlaceOf(name);
        var again = place >= 0 && (seen & (1 << place)) != 0;
        seen |= place >= 0 ? 1 << place : 0;
        return again || name.SequenceEqual(MarkerName);
    }

    // The headers that the broker writes itself. The broker replaces the first header of a name, but the client would
    // use the last.
    private static int PlaceOf(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("x-delivery-count"u8) ? 0
        : name.SequenceEqual("x-acquired-count"u8) ? 1
        : name.SequenceEqual("x-death"u8) ? DeathPlace
        : -1;

    /// <summary>
    /// Gets the length of a field with its type, in bytes; -1 if it is unknown or the field is incomplete.
    /// </summary>
    private static int LengthOf(ReadOnlySpan<byte> field)
    {
        if (field.IsEmpty)
        {
            return -1;
        }

        var length = 1L + (char)field[0] switch
        {
            'V' => 0,
            't' or 'B' or 'b' => 1,
            's' or 'u' => 2,
            'I' or 'i' or 'f' => 4,
            'D' => 5,
            'l' or 'd' or 'T' => 8,
            'S' or 'x' or 'F' or 'A' when field.Length > LengthOfTable =>
                LengthOfTable + (long)BinaryPrimitives.ReadUInt32BigEndian(field[1..]),
            _ => long.MinValue,
        };
        return length > 0 && length <= field.Length ? (int)length : -1;
    }

    /// <summary>True if the client can read a field and all nested fields.</summary>
    private static bool IsReadable(ReadOnlySpan<byte> field)
    {
        if ((char)field[0] is not ('F' or 'A'))
        {
            return IsValid(field);
        }

        Span<(int End, bool Named)> open = stackalloc (int, bool)[MaxDepth];
        open[0] = (field.Length, (char)field[0] == 'F');
        var depth = 0;
        for (var at = 1 + LengthOfTable; depth >= 0;)
        {
            var (end, named) = open[depth];
            if (at == end)
            {
                depth--;
                continue;
            }

            at += named ? 1 + field[at] : 0;
            if (at >= end || LengthOf(field[at..end]) is var length && length < 0)
            {
                return false;
            }

            var inner = field.Slice(at, length);
            if ((char)inner[0] is not ('F' or 'A'))
            {
                if (!IsValid(inner))
                {
                    return false;
                }

                at += length;
            }
            else if (++depth < MaxDepth)
            {
                open[depth] = (at + length, (char)inner[0] == 'F');
                at += 1 + LengthOfTable;
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    // A decimal of the client has at most 28 decimal places.
    private static bool IsValid(ReadOnlySpan<byte> field) => (char)field[0] != 'D' || field[1] <= 28;
}
