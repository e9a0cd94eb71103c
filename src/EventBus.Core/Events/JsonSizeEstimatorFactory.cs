using System.Collections;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>Creates the size estimator of an event type from the types of its members.</summary>
internal static class JsonSizeEstimatorFactory
{
    // An upper bound for the JSON of any number, date, GUID or boolean, in bytes.
    private const int MaxScalarBytes = 48;

    // The quotes of a name or a string, a colon and a comma; or null without quotes.
    private const int Punctuation = 4;

    // The braces of an object, or the brackets of a list.
    private const int Braces = 2;

    // The maximum number of levels of nested objects for which a bound is computed.
    private const int MaxNesting = 4;
    private const int Unknown = JsonSizeEstimator.Unknown;

    /// <summary>Creates the estimator of a type; null if the size cannot be bounded.</summary>
    public static JsonSizeEstimator? Create(JsonTypeInfo type) => Create(type, MaxNesting);

    private static JsonSizeEstimator? Create(JsonTypeInfo type, int nesting)
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
            fixedBytes += (property.Name.Length * JsonSizeEstimator.BytesPerChar) + Punctuation;
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
            return static text => (int)Math.Min(JsonSizeEstimator.BoundOf((string)text) + Punctuation, Unknown);
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
        var nested = Create(info, nesting);
        return nested is null ? null : nested.UpperBound;
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
