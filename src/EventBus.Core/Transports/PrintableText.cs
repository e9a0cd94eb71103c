using System.Globalization;
using System.Text;

namespace EventBus.Transports;

/// <summary>Text that somebody else chose, as one line without tricks: what does not print is written as its code, <c>\u000A</c> for a line feed.</summary>
/// <remarks>Covers control characters, line and paragraph separators, format characters (which turn the direction of writing or are invisible), half and unassigned characters. A text that was made printable stays as it is.</remarks>
internal static class PrintableText
{
    /// <summary>The text; the same instance where nothing has to be replaced.</summary>
    /// <param name="text">Any text.</param>
    public static string Of(string text)
    {
        var first = IndexOfHidden(text);
        if (first < 0)
        {
            return text;
        }

        var printable = new StringBuilder(text, 0, first, text.Length + 16);
        for (var i = first; i < text.Length;)
        {
            var isRune = Rune.TryGetRuneAt(text, i, out var rune);
            var length = isRune ? rune.Utf16SequenceLength : 1;
            if (isRune && IsShown(rune))
            {
                printable.Append(text, i, length);
            }
            else
            {
                for (var j = i; j < i + length; j++)
                {
                    printable.Append(CultureInfo.InvariantCulture, $"\\u{(int)text[j]:X4}");
                }
            }

            i += length;
        }

        return printable.ToString();
    }

    private static int IndexOfHidden(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is >= ' ' and <= '~')
            {
                continue;
            }

            if (!Rune.TryGetRuneAt(text, i, out var rune) || !IsShown(rune))
            {
                return i;
            }

            i += rune.Utf16SequenceLength - 1;
        }

        return -1;
    }

    private static bool IsShown(Rune rune) => Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
