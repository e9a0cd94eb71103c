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
    private const int DeathIndex = 2;

    private const int LengthOfTable = RabbitMqHeaderTable.LengthOfTable;

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
        if (!RabbitMqHeaderTable.TryFind(payload, out var tableAt, out var length))
        {
            return null;
        }

        var table = payload.Slice(tableAt + LengthOfTable, length);
        var seen = 0;
        var at = 0;
        while (at < table.Length)
        {
            if (Read(table[at..], ref seen, out var size) != Field.Good)
            {
                return Repair(payload, tableAt, table);
            }

            at += size;
        }

        return null;
    }

    /// <summary>Creates the payload again with the readable fields of the table and, if needed, the marker.</summary>
    private static byte[] Repair(ReadOnlySpan<byte> payload, int tableAt, ReadOnlySpan<byte> table)
    {
        var good = new ArrayBufferWriter<byte>(table.Length);
        var (seen, bad) = (0, default(byte[]));
        var at = 0;
        while (at < table.Length)
        {
            var before = seen;
            var field = Read(table[at..], ref seen, out var size);
            var entry = table.Slice(at, field == Field.Torn ? table.Length - at : size);
            var name = entry.Slice(1, Math.Min(entry[0], entry.Length - 1));
            if (field == Field.Good)
            {
                good.Write(entry);
            }
            else if (IsReported(field, name, isFirst: before != seen, entry, good))
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
    /// Returns true if the removal of a field must be reported by the marker. The marker of a publisher and the
    /// repeated headers of the broker are removed silently. Keeps the readable beginning of the first x-death list.
    /// </summary>
    private static bool IsReported(
        Field field,
        ReadOnlySpan<byte> name,
        bool isFirst,
        ReadOnlySpan<byte> entry,
        ArrayBufferWriter<byte> good)
    {
        if (name.SequenceEqual(MarkerName))
        {
            return false;
        }

        var index = IndexOfBrokerHeader(name);
        if (field == Field.Torn || index < 0)
        {
            return true;
        }

        return index == DeathIndex && isFirst && !TryKeepBeginning(entry, name, good);
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
        while (kept < items.Length)
        {
            var length = LengthOf(items[kept..]);
            if (length <= 0 || !IsReadable(items.Slice(kept, length)))
            {
                break;
            }

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
        var index = IndexOfBrokerHeader(name);
        var flag = index >= 0 ? 1 << index : 0;
        var isRepeated = (seen & flag) != 0;
        seen |= flag;
        return isRepeated || name.SequenceEqual(MarkerName);
    }

    // The headers that the broker writes itself. The broker replaces the first header of a name, but the client would
    // use the last.
    private static int IndexOfBrokerHeader(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("x-delivery-count"u8))
        {
            return 0;
        }

        if (name.SequenceEqual("x-acquired-count"u8))
        {
            return 1;
        }

        return name.SequenceEqual("x-death"u8) ? DeathIndex : -1;
    }

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
        var at = 1 + LengthOfTable;
        while (depth >= 0)
        {
            var (end, named) = open[depth];
            if (at == end)
            {
                depth--;
                continue;
            }

            if (named)
            {
                at += 1 + field[at];
            }

            var length = at < end ? LengthOf(field[at..end]) : -1;
            if (length < 0)
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
            else
            {
                depth++;
                if (depth == MaxDepth)
                {
                    return false;
                }

                open[depth] = (at + length, (char)inner[0] == 'F');
                at += 1 + LengthOfTable;
            }
        }

        return true;
    }

    // A decimal of the client has at most 28 decimal places.
    private static bool IsValid(ReadOnlySpan<byte> field) => (char)field[0] != 'D' || field[1] <= 28;
}
