using System.Buffers;
using System.Buffers.Binary;

namespace EventBus;

/// <summary>
/// Removes unreadable fields from a content header: fields nested so deeply that the client's reader overflows the
/// stack, and fields of an unknown type or value, for which the client closes the connection. Adds a marker with the
/// name of the first such field (<see cref="RabbitMqHeaderNames.Unreadable"/>).
/// </summary>
/// <remarks>
/// Also removes a marker that a publisher has written, and repetitions of headers that the broker writes. Does not
/// allocate memory if all fields are readable.
/// </remarks>
internal static class RabbitMqHeaderCheck
{
    private const int LengthOfTable = RabbitMqHeaderTable.LengthOfTable;

    // The bytes of RabbitMqHeaderNames.Unreadable.
    private static ReadOnlySpan<byte> MarkerName => "eventbus-unreadable"u8;

    private enum FieldState
    {
        Good,

        // The field must be removed: the client cannot read it, or it is a repetition or a marker of a publisher.
        Bad,

        // The field is incomplete, so that the fields after it cannot be found.
        Torn,
    }

    /// <summary>Returns a readable payload of a header frame; null if the payload needs no change.</summary>
    public static byte[]? Repair(ReadOnlySpan<byte> payload)
    {
        if (!RabbitMqHeaderTable.TryFind(payload, out var tableOffset, out var length))
        {
            return null;
        }

        var table = payload.Slice(tableOffset + LengthOfTable, length);
        var seenBrokerHeaders = 0;
        var offset = 0;
        while (offset < table.Length)
        {
            if (ReadField(table[offset..], ref seenBrokerHeaders, out var size) != FieldState.Good)
            {
                return CreateRepaired(payload, tableOffset, table);
            }

            offset += size;
        }

        return null;
    }

    /// <summary>Creates the payload again with the readable fields of the table and, if needed, the marker.</summary>
    private static byte[] CreateRepaired(ReadOnlySpan<byte> payload, int tableOffset, ReadOnlySpan<byte> table)
    {
        var kept = new ArrayBufferWriter<byte>(table.Length);
        byte[]? reportedName = null;
        var seenBrokerHeaders = 0;
        var offset = 0;
        while (offset < table.Length)
        {
            var seenBefore = seenBrokerHeaders;
            var state = ReadField(table[offset..], ref seenBrokerHeaders, out var size);
            var field = table.Slice(offset, state == FieldState.Torn ? table.Length - offset : size);
            var name = field.Slice(1, Math.Min(field[0], field.Length - 1));

            // ReadField records the name of a header of the broker at its first occurrence.
            var isFirstOfBroker = seenBrokerHeaders != seenBefore;
            if (state == FieldState.Good)
            {
                kept.Write(field);
            }
            else if (isFirstOfBroker && BrokerDeathList.IsName(name))
            {
                if (!BrokerDeathList.TryKeepBeginning(field, name, kept))
                {
                    reportedName ??= name.ToArray();
                }
            }
            else if (MustReport(state, name))
            {
                reportedName ??= name.ToArray();
            }

            offset += field.Length;
        }

        if (reportedName is not null)
        {
            // A field of the type S, a text, whose length has four bytes.
            kept.Write<byte>(
                [(byte)MarkerName.Length, .. MarkerName, (byte)'S', 0, 0, 0, (byte)reportedName.Length, .. reportedName]);
        }

        var entriesOffset = tableOffset + LengthOfTable;
        var afterTable = payload[(entriesOffset + table.Length)..];
        var repaired = new byte[entriesOffset + kept.WrittenCount + afterTable.Length];
        payload[..tableOffset].CopyTo(repaired);
        BinaryPrimitives.WriteUInt32BigEndian(repaired.AsSpan(tableOffset), (uint)kept.WrittenCount);
        kept.WrittenSpan.CopyTo(repaired.AsSpan(entriesOffset));
        afterTable.CopyTo(repaired.AsSpan(entriesOffset + kept.WrittenCount));
        return repaired;
    }

    /// <summary>
    /// Returns true if the marker must report the removal of a field. A marker of a publisher and headers of the broker
    /// are removed silently.
    /// </summary>
    private static bool MustReport(FieldState state, ReadOnlySpan<byte> name) =>
        !name.SequenceEqual(MarkerName) && (state == FieldState.Torn || !BrokerHeaders.Contains(name));

    /// <summary>Reads one field of the outermost table: its name, and its value with its type.</summary>
    /// <param name="data">The field and the data after it.</param>
    /// <param name="seenBrokerHeaders">Bit flags of the broker's header names that were already found.</param>
    /// <param name="size">The length of the field in bytes; 0 if it is torn.</param>
    private static FieldState ReadField(ReadOnlySpan<byte> data, ref int seenBrokerHeaders, out int size)
    {
        size = 0;
        if (data.Length < 2 + data[0])
        {
            return FieldState.Torn;
        }

        var name = data.Slice(1, data[0]);
        var valueOffset = 1 + name.Length;
        var value = data[valueOffset..];
        var length = RabbitMqFieldValue.LengthOf(value);
        if (length < 0)
        {
            return FieldState.Torn;
        }

        size = valueOffset + length;
        var isRepetition = BrokerHeaders.IsRepetition(name, ref seenBrokerHeaders);
        var isGood = !isRepetition && !name.SequenceEqual(MarkerName) && RabbitMqFieldValue.IsReadable(value[..length]);
        return isGood ? FieldState.Good : FieldState.Bad;
    }
}
