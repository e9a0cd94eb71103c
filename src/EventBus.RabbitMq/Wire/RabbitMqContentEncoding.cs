using System.Collections.Immutable;

namespace EventBus;

/// <summary>
/// Recognizes content encodings that mean unencoded UTF-8. Clients also write the character set there, in upper or
/// lower case, and lists of several encodings.
/// </summary>
internal static class RabbitMqContentEncoding
{
    // The content encodings that other clients write for a body that is not encoded.
    private static readonly ImmutableArray<string> PlainEncodings =
        ["utf-8", "utf8", "us-ascii", "ascii", "identity", "none", "8bit", "7bit", "binary"];

    /// <summary>True if a content encoding means unencoded UTF-8.</summary>
    public static bool IsPlain(string? encoding)
    {
        foreach (var part in encoding.AsSpan().Split(','))
        {
            var name = encoding.AsSpan()[part].Trim();
            if (!name.IsEmpty && !IsPlainName(name))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsPlainName(ReadOnlySpan<char> name)
    {
        foreach (var plain in PlainEncodings)
        {
            if (name.Equals(plain, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }
}
