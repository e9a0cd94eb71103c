using System.Buffers;
using System.Buffers.Binary;

namespace EventBus;

/// <summary>
/// Shortens the header <c>x-death</c>, a list in which the broker records how it moved a message, to its readable
/// beginning.
/// </summary>
internal static class BrokerDeathList
{
    private const int LengthOfTable = RabbitMqHeaderTable.LengthOfTable;

    /// <summary>True for the name of this header.</summary>
    public static bool IsName(ReadOnlySpan<byte> name) => name.SequenceEqual("x-death"u8);

    /// <summary>
    /// Keeps the entries of an x-death list that precede the first unreadable one. The entries of the broker are
    /// readable and at the beginning, so all of them are kept. Returns false if the first entry is unreadable or there
    /// is none.
    /// </summary>
    /// <param name="field">The whole header: the length of its name, the name, and the value with its type.</param>
    /// <param name="name">The name in the field.</param>
    /// <param name="kept">The fields that are kept; the shortened header is added.</param>
    public static bool TryKeepBeginning(ReadOnlySpan<byte> field, ReadOnlySpan<byte> name, ArrayBufferWriter<byte> kept)
    {
        var valueOffset = 1 + name.Length;
        var value = field[valueOffset..];
        if ((char)value[0] != 'A')
        {
            // The value is not of the type A, a list.
            return false;
        }

        var items = value[(1 + LengthOfTable)..];
        var keptLength = 0;
        while (keptLength < items.Length)
        {
            var length = RabbitMqFieldValue.LengthOf(items[keptLength..]);
            if (length <= 0 || !RabbitMqFieldValue.IsReadable(items.Slice(keptLength, length)))
            {
                break;
            }

            keptLength += length;
        }

        if (keptLength == 0)
        {
            return false;
        }

        kept.Write(field[..(valueOffset + 1)]);
        BinaryPrimitives.WriteInt32BigEndian(kept.GetSpan(LengthOfTable), keptLength);
        kept.Advance(LengthOfTable);
        kept.Write(items[..keptLength]);
        return true;
    }
}
