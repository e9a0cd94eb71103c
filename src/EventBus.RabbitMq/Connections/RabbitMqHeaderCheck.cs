using System.Buffers;
using System.Buffers.Binary;

namespace EventBus;

/// <summary>Finds what the client cannot read in a content header, and takes it out: a field nested so deeply that the client's reader overflows the stack, or of a type or value that it does not know and closes the connection over.</summary>
/// <remarks>Never recursive, and without allocation where all is well.</remarks>
internal static class RabbitMqHeaderCheck
{
    /// <summary>A header that says which header was taken out. What a publisher writes under this name is taken out too.</summary>
    public const string Marker = RabbitMqFailureFormat.Prefix + "unreadable";

    // The client's reader calls itself once or twice for each; a few thousand would be too many.
    private const int MaxDepth = 100;

    // The place of the list of deaths among the broker's names.
    private const int DeathPlace = 2;

    // Class, weight and size of the body; then the flags of the properties, and the properties.
    private const int FlagsAt = 12;
    private const int PropertiesAt = FlagsAt + 2;
    private const int ContentType = 0x8000;
    private const int ContentEncoding = 0x4000;
    private const int Headers = 0x2000;
    private const int LengthOfTable = 4;

    // The same as the marker.
    private static ReadOnlySpan<byte> MarkerBytes => "eventbus-unreadable"u8;

    private enum Field
    {
        Good,

        // Can be stepped over.
        Bad,

        // Nothing behind it can be found.
        Torn,
    }

    /// <summary>The payload of a header frame as it is to be read; null for as it is.</summary>
    public static byte[]? Mend(ReadOnlySpan<byte> payload)
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
                return Mend(payload, tableAt, table);
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

    /// <summary>The same with the table of what is good, and the marker.</summary>
    private static byte[] Mend(ReadOnlySpan<byte> payload, int tableAt, ReadOnlySpan<byte> table)
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
            else if (!name.SequenceEqual(MarkerBytes) && (field == Field.Torn || PlaceOf(name) < 0 || (PlaceOf(name) == DeathPlace && before != seen && !TryKeepBeginning(entry, name, good))))
            {
                bad ??= name.ToArray();
            }

            at += entry.Length;
        }

        if (bad is not null)
        {
            good.Write<byte>([(byte)MarkerBytes.Length, .. MarkerBytes, (byte)'S', 0, 0, 0, (byte)bad.Length, .. bad]);
        }

        var mended = new byte[tableAt + LengthOfTable + good.WrittenCount + (payload.Length - tableAt - LengthOfTable - table.Length)];
        payload[..tableAt].CopyTo(mended);
        BinaryPrimitives.WriteUInt32BigEndian(mended.AsSpan(tableAt), (uint)good.WrittenCount);
        good.WrittenSpan.CopyTo(mended.AsSpan(tableAt + LengthOfTable));
        payload[(tableAt + LengthOfTable + table.Length)..].CopyTo(mended.AsSpan(tableAt + LengthOfTable + good.WrittenCount));
        return mended;
    }

    /// <summary>Keeps what comes first in a list of deaths: the broker's own, in front of whatever its publisher wrote.</summary>
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
    /// <param name="entries">The entry and what follows it.</param>
    /// <param name="seen">Which of the broker's names have come already.</param>
    /// <param name="size">How long it is, unless it is torn.</param>
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
        return again || name.SequenceEqual(MarkerBytes);
    }

    // What the broker writes itself. It replaces the first of that name, and of several the client would take the last.
    private static int PlaceOf(ReadOnlySpan<byte> name) =>
        name.SequenceEqual("x-delivery-count"u8) ? 0
        : name.SequenceEqual("x-acquired-count"u8) ? 1
        : name.SequenceEqual("x-death"u8) ? DeathPlace
        : -1;

    /// <summary>How many bytes a field takes with its type; -1 if that cannot be said, or they are not there.</summary>
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
            'S' or 'x' or 'F' or 'A' when field.Length > LengthOfTable => LengthOfTable + (long)BinaryPrimitives.ReadUInt32BigEndian(field[1..]),
            _ => long.MinValue,
        };
        return length > 0 && length <= field.Length ? (int)length : -1;
    }

    /// <summary>Whether the client can read a field, whatever is in it.</summary>
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

    // A decimal of the client's has at most 28 places.
    private static bool IsValid(ReadOnlySpan<byte> field) => (char)field[0] != 'D' || field[1] <= 28;
}
