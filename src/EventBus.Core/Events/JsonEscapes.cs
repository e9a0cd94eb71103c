using System.Buffers;
using System.Numerics;
using System.Runtime.InteropServices;

namespace EventBus;

/// <summary>Counts the characters that the default encoder of JSON escapes.</summary>
internal static class JsonEscapes
{
    /// <summary>
    /// The characters that it does not escape: ASCII, without those that have a meaning in JSON or HTML.
    /// </summary>
    public const string Plain =
        " !#$%()*,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_abcdefghijklmnopqrstuvwxyz{|}~";

    private static readonly SearchValues<char> PlainChars = SearchValues.Create(Plain);

    /// <summary>Returns the index of the first character that is escaped; -1 if there is none.</summary>
    public static int IndexOfFirst(ReadOnlySpan<char> text) => text.IndexOfAnyExcept(PlainChars);

    /// <summary>
    /// Counts the escaped characters: those that become six characters, and those that become two (a backslash, and
    /// control characters with a letter of their own).
    /// </summary>
    /// <param name="text">At most 16 K characters, since each element of a vector counts in 16 bits.</param>
    public static (int Escapes, int Shorts) Count(ReadOnlySpan<char> text)
    {
        var (escaped, shorts) = (0, 0);
        var units = MemoryMarshal.Cast<char, ushort>(text);
        if (Vector.IsHardwareAccelerated && units.Length >= Vector<ushort>.Count)
        {
            var (escapedCounts, shortCounts) = (Vector<ushort>.Zero, Vector<ushort>.Zero);
            for (; units.Length >= Vector<ushort>.Count; units = units[Vector<ushort>.Count..])
            {
                // A comparison sets all bits of an element, which is -1.
                var vector = new Vector<ushort>(units);
                var isShort = IsShort(vector);
                shortCounts -= isShort;
                escapedCounts -= IsEscaped(vector) | isShort;
            }

            (escaped, shorts) = (Vector.Sum(escapedCounts), Vector.Sum(shortCounts));
        }

        foreach (var unit in units)
        {
            var isShort = unit is '\\' or (>= '\b' and <= '\r' and not '\v');
            shorts += isShort ? 1 : 0;
            escaped += isShort || !PlainChars.Contains((char)unit) ? 1 : 0;
        }

        return (escaped - shorts, shorts);
    }

    // The subtraction wraps around, so that one comparison finds both ends of a range.
    private static Vector<ushort> IsEscaped(Vector<ushort> units) =>
        Vector.GreaterThan(units - Vector.Create<ushort>(' '), Vector.Create<ushort>('~' - ' '))
            | Vector.Equals(units | Vector<ushort>.One, Vector.Create<ushort>('\''))
            | Vector.Equals(units | Vector.Create<ushort>(2), Vector.Create<ushort>('>'))
            | Vector.Equals(units, Vector.Create<ushort>('"'))
            | Vector.Equals(units, Vector.Create<ushort>('+'))
            | Vector.Equals(units, Vector.Create<ushort>('`'));

    private static Vector<ushort> IsShort(Vector<ushort> units) =>
        Vector.Equals(units, Vector.Create<ushort>('\\'))
            | Vector.AndNot(
                Vector.LessThanOrEqual(units - Vector.Create<ushort>('\b'), Vector.Create<ushort>('\r' - '\b')),
                Vector.Equals(units, Vector.Create<ushort>('\v')));
}
