using System.Globalization;
using System.Text;

namespace EventBus.Proof;

/// <summary>The marks in a fuzz message: its number, and a text that must never appear in a log.</summary>
internal static class FuzzMark
{
    /// <summary>The value for no message.</summary>
    public const long None = -1;

    /// <summary>
    /// A text in bodies, property names, header values and attributes other than ids. No log may contain it.
    /// </summary>
    public const string Canary = "kanarie-7d21";

    /// <summary>A text after line breaks in texts that a log may contain. No line of a log may begin with it.</summary>
    public const string ForeignText = "intruder-7d21";

    public static string Of(long number) => $"fz{number}z";

    /// <summary>Returns the number of the message that contains these bytes, or <see cref="None"/>.</summary>
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
    /// Returns the number of a received message, from its body, or else from its id, its headers or its key.
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
