using System.Buffers;
using System.Collections;
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

    // An upper bound for the JSON of any number, date, GUID or boolean, in bytes.
    private const int MaxScalarBytes = 48;

    // A UTF-16 code unit becomes at most \uXXXX.
    private const int BytesPerChar = 6;

    // The quotes of a name or a string, a colon and a comma; or null without quotes.
    private const int Punctuation = 4;

    // The braces of an object, or the brackets of a list.
    private const int Braces = 2;
    private const int MaxNesting = 4;

    // The length from which the characters of a string are examined, and the number of special characters at which the
    // examination ends.
    private const int LongText = 4 * 1024;
    private const int MaxSpecialChars = 512;

    // Characters that no encoder escapes.
    private static readonly SearchValues<char> Plain =
        SearchValues.Create(" -.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");

    // The bytes of the names, the punctuation and the members of fixed length.
    private readonly int fixedBytes;

    // Strings are separate because most members of variable length are strings, and their length needs no delegate
    // call.
    private readonly Func<object, object?>[] strings;
    private readonly (Func<object, object?> Get, Func<object, int> Bound)[] others;

    private JsonSizeEstimator(
        int fixedBytes, Func<object, object?>[] strings, (Func<object, object?> Get, Func<object, int> Bound)[] others)
    {
        this.fixedBytes = fixedBytes;
        this.strings = strings;
        this.others = others;
    }

    /// <summary>Creates the estimator of a type; null if the size cannot be bounded.</summary>
    public static JsonSizeEstimator? For(JsonTypeInfo type) => For(type, MaxNesting);

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

    private static JsonSizeEstimator? For(JsonTypeInfo type, int nesting)
    {
        if (type.Kind != JsonTypeInfoKind.Object
            || type.Options.Converters.Count > 0
            || type.Options.WriteIndented
            || type.Options.ReferenceHandler is not null
            || type.PolymorphismOptions is not null
            || nesting == 0)
        {
            return null;
        }

        var fixedBytes = Braces;
        var strings = new List<Func<object, object?>>();
        var others = new List<(Func<object, object?> Get, Func<object, int> Bound)>();
        foreach (var property in type.Properties)
        {
            fixedBytes += (property.Name.Length * BytesPerChar) + Punctuation;
            if (property.CustomConverter is not null || property.IsExtensionData || property.Get is not { } get)
            {
                return null;
            }

            if (IsFixed(property.PropertyType))
            {
                fixedBytes += MaxScalarBytes;
            }
            else if (property.PropertyType == typeof(string))
            {
                fixedBytes += Punctuation;
                strings.Add(get);
            }
            else if (BoundOf(property.PropertyType, type, nesting - 1) is { } bound)
            {
                fixedBytes += Punctuation;
                others.Add((get, bound));
            }
            else
            {
                return null;
            }
        }

        return new JsonSizeEstimator(fixedBytes, [.. strings], [.. others]);
    }

    /// <summary>
    /// Returns the function that computes the bound of a member; null if its size cannot be bounded.
    /// </summary>
    private static Func<object, int>? BoundOf(Type member, JsonTypeInfo owner, int nesting)
    {
        if (member == typeof(string))
        {
            return static text => (int)Math.Min(BoundOf((string)text) + Punctuation, Unknown);
        }

        if (member == typeof(byte[]))
        {
            // Base64 has four characters for three bytes.
            return static bytes => Multiply(((byte[])bytes).Length, 2);
        }

        if (!owner.Options.TryGetTypeInfo(member, out var info))
        {
            return null;
        }

        if (info.Kind == JsonTypeInfoKind.Enumerable && info.ElementType is { } element)
        {
            if (IsFixed(element))
            {
                return static items => items is ICollection collection ? Multiply(collection.Count, MaxScalarBytes + 1) : Unknown;
            }

            var bound = element.IsValueType ? null : BoundOf(element, owner, nesting);
            return bound is null ? null : items => SumOf(items, bound);
        }

        // A derived class could have more properties, but the serializer writes only the declared ones.
        var nested = For(info, nesting);
        return nested is null ? null : nested.UpperBound;
    }

    /// <summary>
    /// Computes the bound of a string. The characters of a long string are examined, because a bound that is too high
    /// would cause an unnecessary serialization.
    /// </summary>
    private static long BoundOf(string text)
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

    private static int SumOf(object items, Func<object, int> bound)
    {
        if (items is not IList list)
        {
            return Unknown;
        }

        long sum = Braces;
        for (var i = 0; i < list.Count && sum < Unknown; i++)
        {
            sum += Punctuation + 1;
            if (list[i] is { } item)
            {
                sum += bound(item);
            }
        }

        return (int)Math.Min(sum, Unknown);
    }

    private static int Multiply(int count, int bytesEach) => (int)Math.Min(((long)count * bytesEach) + Punctuation, Unknown);

    private static bool IsFixed(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsPrimitive
            || type == typeof(decimal)
            || type == typeof(Guid)
            || type == typeof(DateTime)
            || type == typeof(DateTimeOffset)
            || type == typeof(DateOnly)
            || type == typeof(TimeOnly)
            || type == typeof(TimeSpan);
    }
}
