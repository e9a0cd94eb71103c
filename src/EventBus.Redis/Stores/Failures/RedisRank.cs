using System.Globalization;

namespace EventBus;

/// <summary>Converts positions in an order key to ranks, the text by which Redis sorts them, and back.</summary>
internal static class RedisRank
{
    /// <summary>
    /// Writes a position as 20 digits, where the lowest position is 0. Inverting the sign bit moves the negative
    /// positions before the others.
    /// </summary>
    public static string Write(long position) => unchecked((ulong)position ^ (1UL << 63)).ToString("D20", CultureInfo.InvariantCulture);

    /// <summary>Reads a position; returns null if the text is not a position.</summary>
    public static long? Read(string rank) =>
        ulong.TryParse(rank, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? unchecked((long)(value ^ (1UL << 63)))
            : null;
}
