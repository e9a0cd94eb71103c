using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace EventBus;

/// <summary>
/// Converts text that other programs or exceptions provide to one printable line. Each character that cannot be printed
/// is replaced by its code: a line feed by <c>\u000A</c>.
/// </summary>
/// <remarks>
/// Replaces control characters, line and paragraph separators, format characters (which change the writing direction or
/// are invisible), unpaired surrogates, and unassigned and private-use characters. A text that is already printable is
/// not changed.
/// </remarks>
internal static class PrintableText
{
    /// <summary>Returns the printable text; the same instance if nothing was replaced.</summary>
    /// <param name="text">Any text.</param>
    public static string Of(string text)
    {
        var first = IndexOfUnprintable(text);
        if (first < 0)
        {
            return text;
        }

        var printable = new StringBuilder(text, 0, first, text.Length + 16);
        var i = first;
        while (i < text.Length)
        {
            var isRune = Rune.TryGetRuneAt(text, i, out var rune);
            var length = isRune ? rune.Utf16SequenceLength : 1;
            if (isRune && IsPrintable(rune))
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

    /// <summary>Returns the beginning of a text, as one printable line; null if there is none.</summary>
    /// <param name="text">Any text; only the beginning of a long text is copied.</param>
    /// <param name="max">The maximum number of characters that are returned.</param>
    [return: NotNullIfNotNull(nameof(text))]
    public static string? Of(string? text, int max)
    {
        if (text is null)
        {
            return null;
        }

        // Shortened again at the end, because the codes of unprintable characters are longer than the characters.
        return Start(Of(Start(text, max)), max);
    }

    /// <summary>Returns the beginning of a text, without an unpaired surrogate at its end.</summary>
    public static string Start(string text, int max)
    {
        if (text.Length <= max)
        {
            return text;
        }

        var length = char.IsHighSurrogate(text[max - 1]) ? max - 1 : max;
        return text[..length];
    }

    /// <summary>Returns true if the text is printable on one line as it is.</summary>
    /// <param name="text">Any text.</param>
    public static bool IsPrintable(ReadOnlySpan<char> text) => IndexOfUnprintable(text) < 0;

    private static int IndexOfUnprintable(ReadOnlySpan<char> text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] is >= ' ' and <= '~')
            {
                continue;
            }

            if (Rune.DecodeFromUtf16(text[i..], out var rune, out var length) != OperationStatus.Done || !IsPrintable(rune))
            {
                return i;
            }

            i += length - 1;
        }

        return -1;
    }

    private static bool IsPrintable(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned);
}
