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
    public static JsonSizeEstimator? Create(JsonTypeInfo type) =>
        Create(type, JsonTextSize.For(type.Options.Encoder), MaxNesting);

    private static JsonSizeEstimator? Create(JsonTypeInfo type, JsonTextSize texts, int nesting)
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
        var others = new List<(Func<object, object?> Get, JsonSizeBound Bound)>();
        foreach (var property in type.Properties)
        {
            fixedBytes += (int)texts.Of(property.Name) + Punctuation;
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
            else if (BoundOf(property.PropertyType, type, texts, nesting - 1) is { } bound)
            {
                fixedBytes += Punctuation;
                others.Add((get, bound));
            }
            else
            {
                return null;
            }
        }

        return new JsonSizeEstimator(fixedBytes, texts, [.. strings], [.. others]);
    }

    /// <summary>
    /// Returns the function that computes the bound of a member; null if its size cannot be bounded.
    /// </summary>
    private static JsonSizeBound? BoundOf(Type member, JsonTypeInfo owner, JsonTextSize texts, int nesting)
    {
        if (member == typeof(string))
        {
            return (text, reads) => JsonSizeEstimator.BoundOf(texts, text, reads) + Punctuation;
        }

        if (member == typeof(byte[]))
        {
            // Base64 has four characters for three bytes, and none of them is escaped.
            return static (bytes, _) => ((((byte[])bytes).Length + 2L) / 3 * 4) + Punctuation;
        }

        // The JSON of a nullable value is that of the value, and its type information has no properties.
        member = Nullable.GetUnderlyingType(member) ?? member;
        if (!owner.Options.TryGetTypeInfo(member, out var info) || info.PolymorphismOptions is not null)
        {
            return null;
        }

        if (info is { Kind: JsonTypeInfoKind.Enumerable or JsonTypeInfoKind.Dictionary, ElementType: { } element })
        {
            var isList = info.Kind == JsonTypeInfoKind.Enumerable;
            return isList || (info.KeyType == typeof(string) && owner.Options.DictionaryKeyPolicy is null)
                ? BoundOfItems(element, owner, texts, nesting, isList)
                : null;
        }

        // A derived class could have more properties, but the serializer writes only the declared ones.
        var nested = Create(info, texts, nesting);
        return nested is null ? null : nested.UpperBound;
    }

    private static JsonSizeBound? BoundOfItems(
        Type element,
        JsonTypeInfo owner,
        JsonTextSize texts,
        int nesting,
        bool isList)
    {
        if (isList && IsFixed(element))
        {
            return static (items, _) => items is ICollection all ? ((long)all.Count * (MaxScalarBytes + 1)) + Punctuation : Unknown;
        }

        JsonSizeBound? bound = IsFixed(element) ? static (_, _) => MaxScalarBytes
            : element.IsValueType ? null
            : BoundOf(element, owner, texts, nesting);
        return bound is null ? null
            : isList ? (items, reads) => SumOf(items, bound, reads)
            : (items, reads) => SumOfMap(items, texts, bound, reads);
    }

    private static long SumOf(object items, JsonSizeBound bound, bool reads)
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
                sum += bound(item, reads);
            }
        }

        return sum;
    }

    private static long SumOfMap(object items, JsonTextSize texts, JsonSizeBound bound, bool reads)
    {
        if (items is not IDictionary map)
        {
            return Unknown;
        }

        long sum = Braces;
        foreach (DictionaryEntry entry in map)
        {
            // The punctuation of the key and of the value.
            sum += JsonSizeEstimator.BoundOf(texts, entry.Key, reads) + (2 * Punctuation);
            if (entry.Value is { } value)
            {
                sum += bound(value, reads);
            }
        }

        return sum;
    }

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
