using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Unicode;

namespace EventBus;

/// <summary>Reads texts from the bytes of keys and headers.</summary>
internal static class KafkaText
{
    private const int MaxKeyLength = 1_024;
    private const int MaxHexBytes = 256;

    /// <summary>Reads a text; false if the bytes are missing or no UTF-8.</summary>
    public static bool TryRead(byte[]? bytes, [NotNullWhen(true)] out string? text)
    {
        text = bytes is not null && Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null;
        return text is not null;
    }

    /// <summary>
    /// Gets the key of an event from the key of a record. A key that is no printable text, for instance a number of
    /// four bytes, becomes <c>0x</c> and its hexadecimal digits, so that the order of its events is kept.
    /// </summary>
    /// <param name="bytes">The key of the record; null for none.</param>
    /// <returns>Null for no key.</returns>
    public static string? KeyOf(byte[]? bytes)
    {
        if (bytes is not { Length: > 0 })
        {
            return null;
        }

        if (TryRead(bytes, out var text) && text.Length <= MaxKeyLength && text.All(IsPrintable))
        {
            return text;
        }

        return bytes.Length <= MaxHexBytes
            ? $"0x{Convert.ToHexStringLower(bytes)}"
            : $"sha256-{Convert.ToHexStringLower(SHA256.HashData(bytes))}";
    }

    // The characters that the text of an attribute may have.
    private static bool IsPrintable(char c) => c is not ((>= '\uFDD0' and <= '\uFDEF') or '\uFFFE' or '\uFFFF')
        && char.GetUnicodeCategory(c)
            is not (UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
