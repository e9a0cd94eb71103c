using System.Globalization;
using System.Text;

namespace EventBus.Proof;

/// <summary>The marks in a fuzz message: its number, and a text that must never appear in a log.</summary>
internal static class FuzzMark
{
    /// <summary>No message.</summary>
    public const long None = -1;

    /// <summary>
    /// Stands in bodies, in their property names, in header values and in attributes that are no ids. No log shows it.
    /// </summary>
    public const string Canary = "kanarie-7d21";

    /// <summary>Stands behind line breaks in texts that a log may show. No line of a log begins with it.</summary>
    public const string Intruder = "intruder-7d21";

    public static string Of(long number) => $"fz{number}z";

    /// <summary>The number of the message to which some bytes belong; <see cref="None"/> if they do not say.</summary>
    public static long Find(ReadOnlySpan<byte> bytes)
    {
        while (bytes.IndexOf("fz"u8) is >= 0 and var start)
        {
            bytes = bytes[(start + 2)..];
            var end = bytes.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            if (end is > 0 and < 10 && bytes[end] == 'z')
            {
                return long.Parse(bytes[..end], CultureInfo.InvariantCulture);
            }
        }

        return None;
    }

    public static long Find(string? text) => text is null ? None : Find(Encoding.UTF8.GetBytes(text));

    /// <summary>
    /// The number of the message that arrived: its body says it, or else its id, its headers or its key.
    /// </summary>
    public static long Find(ReadOnlySpan<byte> body, string id, string? key, IEnumerable<KeyValuePair<string, string>> headers)
    {
        foreach (var found in new[] { Find(body), Find(id), Find(key) }.Concat(
            headers.Select(header => Math.Max(Find(header.Key), Find(header.Value)))))
        {
            if (found != None)
            {
                return found;
            }
        }

        return None;
    }
}
