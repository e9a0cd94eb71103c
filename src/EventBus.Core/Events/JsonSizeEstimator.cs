using System.Buffers;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Computes an upper bound of an event's size as JSON without serializing it, so that the size check is cheap in
/// memory.
/// </summary>
/// <remarks>
/// Reads only members of variable length. If no bound can be computed cheaply, the result is <see cref="Unknown"/>, and
/// the event is serialized once to measure it.
/// </remarks>
internal sealed class JsonSizeEstimator
{
    public const int Unknown = int.MaxValue;

    /// <summary>The maximum size of one UTF-16 code unit as JSON, in bytes: <c>\uXXXX</c>.</summary>
    public const int BytesPerChar = 6;

    // The length from which the characters of a string are examined, and the number of special characters at which the
    // examination ends.
    private const int LongText = 4 * 1024;
    private const int MaxSpecialChars = 512;

    // Characters that no encoder escapes.
    private static readonly SearchValues<char> Plain =
        SearchValues.Create(" -.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");

    private readonly int fixedBytes;

    // Strings are separate because most members of variable length are strings, and their length needs no delegate
    // call.
    private readonly Func<object, object?>[] strings;
    private readonly (Func<object, object?> Get, Func<object, int> Bound)[] others;

    /// <summary>Creates an estimator.</summary>
    /// <param name="fixedBytes">The bytes of the names, the punctuation and the members of fixed length.</param>
    /// <param name="strings">The getters of the members that are strings.</param>
    /// <param name="others">For each other member of variable length, its getter and the function of its bound.</param>
    public JsonSizeEstimator(
        int fixedBytes, Func<object, object?>[] strings, (Func<object, object?> Get, Func<object, int> Bound)[] others)
    {
        this.fixedBytes = fixedBytes;
        this.strings = strings;
        this.others = others;
    }

    /// <summary>Creates the estimator of a type; null if the size cannot be bounded.</summary>
    public static JsonSizeEstimator? For(JsonTypeInfo type) => JsonSizeEstimatorFactory.Create(type);

    /// <summary>Returns the maximum size in bytes, or <see cref="Unknown"/>.</summary>
    public int UpperBound(object value)
    {
        long sum = fixedBytes;
        foreach (var get in strings)
        {
            if (get(value) is { } text)
            {
                sum += BoundOf((string)text);
            }
        }

        foreach (var (get, bound) in others)
        {
            if (get(value) is { } member)
            {
                sum += bound(member);
            }
        }

        return (int)Math.Min(sum, Unknown);
    }

    /// <summary>
    /// Computes the bound of a string. The characters of a long string are examined, because a bound that is too high
    /// would cause an unnecessary serialization.
    /// </summary>
    public static long BoundOf(string text)
    {
        if (text.Length < LongText)
        {
            return (long)text.Length * BytesPerChar;
        }

        var rest = text.AsSpan();
        var special = 0L;
        var index = rest.IndexOfAnyExcept(Plain);
        while (index >= 0)
        {
            special++;
            if (special == MaxSpecialChars)
            {
                return (long)text.Length * BytesPerChar;
            }

            rest = rest[(index + 1)..];
            index = rest.IndexOfAnyExcept(Plain);
        }

        return text.Length + (special * (BytesPerChar - 1));
    }
}
