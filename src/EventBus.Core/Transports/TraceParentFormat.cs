namespace EventBus.Transports;

/// <summary>Checks the format of a traceparent of W3C Trace Context.</summary>
internal static class TraceParentFormat
{
    private const int Length = 55;

    /// <summary>
    /// Returns true if the text is valid. An invalid value is ignored, as the standard requires, and a new trace
    /// begins.
    /// </summary>
    public static bool IsValid(string text)
    {
        // version (2 digits) - trace id (32) - parent id (16) - flags (2)
        if (text.Length != Length
            || text[2] != '-'
            || text[35] != '-'
            || text[52] != '-'
            || text.StartsWith("ff", StringComparison.Ordinal))
        {
            return false;
        }

        return IsHex(text.AsSpan(0, 2)) && IsHex(text.AsSpan(3, 32)) && IsHex(text.AsSpan(36, 16)) && IsHex(text.AsSpan(53, 2))
            && text.AsSpan(3, 32).ContainsAnyExcept('0') && text.AsSpan(36, 16).ContainsAnyExcept('0');
    }

    private static bool IsHex(ReadOnlySpan<char> digits)
    {
        foreach (var c in digits)
        {
            if (!char.IsAsciiHexDigitLower(c))
            {
                return false;
            }
        }

        return true;
    }
}
