using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Holds the JSON members of an event type, and recognises objects that have none of them. Such an object is not an
/// event of this type: it would be deserialized with only default values. Thread-safe.
/// </summary>
internal sealed class EventMembers
{
    // The maximum number of names in a text, and the maximum lengths of a member name and of the type name.
    private const int MaxListed = 5;
    private const int MaxNameLength = 64;
    private const int MaxTypeLength = 200;

    private readonly JsonTypeInfo info;
    private readonly List<(string Name, byte[] Utf8)> known;

    // Names that the serializer adds, such as $type. They do not show that an object is an event of the type.
    private readonly List<string> metadata;
    private readonly List<string> required;
    private readonly JsonReaderOptions readerOptions;

    private EventMembers(JsonTypeInfo info, IEnumerable<string> names, List<string> metadata)
    {
        this.info = info;
        this.metadata = metadata;
        required = [.. info.Properties.Where(property => property.IsRequired).Select(property => property.Name)];
        known = [.. names.Distinct(StringComparer.Ordinal).Select(name => (name, Encoding.UTF8.GetBytes(name)))];
        var options = info.Options;
        readerOptions = new JsonReaderOptions
        {
            AllowTrailingCommas = options.AllowTrailingCommas,
            CommentHandling = options.ReadCommentHandling,
            MaxDepth = options.MaxDepth
        };
    }

    /// <summary>
    /// Creates the members of a type. Returns null if any object may be an event of the type: the type has no members,
    /// accepts members of all names, or has a custom converter.
    /// </summary>
    public static EventMembers? For(JsonTypeInfo info)
    {
        var names = new List<string>();
        var metadata = new List<string>();
        if (!TryAdd(info, names))
        {
            return null;
        }

        if (info.PolymorphismOptions is { } polymorphism)
        {
            metadata.Add(polymorphism.TypeDiscriminatorPropertyName);
            foreach (var derived in polymorphism.DerivedTypes)
            {
                if (derived.DerivedType != info.Type
                    && !(info.Options.TryGetTypeInfo(derived.DerivedType, out var derivedInfo) && TryAdd(derivedInfo, names)))
                {
                    return null;
                }
            }
        }

        if (info.Options.ReferenceHandler is not null)
        {
            metadata.AddRange(["$id", "$ref", "$values"]);
        }

        return names.Count == 0 ? null : new EventMembers(info, names, metadata);
    }

    /// <summary>Reads the member names of a body until one is known, which is usually the first.</summary>
    /// <returns>
    /// The reason that the body is not an event of this type; null if it may be one, or if it is not an object.
    /// </returns>
    /// <exception cref="JsonException">The body is not valid JSON.</exception>
    public Rejection? Check(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, readerOptions);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return null;
        }

        // The list is created only if a name is unknown.
        List<string>? unknown = null;
        var count = 0;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (IsKnown(ref reader))
            {
                return null;
            }

            var name = NameOf(ref reader);
            if (!metadata.Contains(name, StringComparer.Ordinal))
            {
                unknown ??= [];
                count++;
                if (count <= MaxListed)
                {
                    unknown.Add(DescribeForeign(name));
                }
            }

            reader.Skip();
        }

        if (unknown is null)
        {
            return null;
        }

        var expected = JoinFirst(known.Take(MaxListed).Select(member => Cut(member.Name)), known.Count);
        return new Rejection(
            DeadLetterReason.Unreadable,
            $"{Rejection.OtherMembers}{PrintableText.Of(info.Type.ToString(), MaxTypeLength)}: expected is one of {expected}.")
        {
            Foreign = $"{Rejection.ForeignMembers}{JoinFirst(unknown, count)}.",
        };
    }

    /// <summary>
    /// Names the required members of the type that a body does not have, for the error text of a body that could not be
    /// read. They are names of the type and no content.
    /// </summary>
    /// <returns>The end of a sentence; empty if none is missing, or if the body is not a valid object.</returns>
    public string DescribeMissing(ReadOnlySpan<byte> body)
    {
        var missing = new List<string>(required);
        var comparison = info.Options.PropertyNameCaseInsensitive ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        try
        {
            var reader = new Utf8JsonReader(body, readerOptions);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return "";
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = NameOf(ref reader);
                missing.RemoveAll(member => member.Equals(name, comparison));
                reader.Skip();
            }
        }
        catch (JsonException)
        {
            return "";
        }

        return missing.Count == 0 ? "" : $"; required and missing: {JoinFirst(missing.Take(MaxListed).Select(Cut), missing.Count)}";
    }

    /// <summary>Adds the member names of a type. Returns false if any object may be an event of the type.</summary>
    private static bool TryAdd(JsonTypeInfo info, List<string> names)
    {
        if (info.Kind != JsonTypeInfoKind.Object || info.Properties.Any(property => property.IsExtensionData))
        {
            return false;
        }

        // An ignored property is neither written nor read.
        names.AddRange(info.Properties.Where(property => property.Get is not null
            || property.Set is not null
            || property.AssociatedParameter is not null).Select(property => property.Name));
        return true;
    }

    private bool IsKnown(ref Utf8JsonReader reader)
    {
        foreach (var (_, utf8) in known)
        {
            if (reader.ValueTextEquals(utf8))
            {
                return true;
            }
        }

        return info.Options.PropertyNameCaseInsensitive && IsKnownInOtherCase(NameOf(ref reader));
    }

    private bool IsKnownInOtherCase(string name) => known.Exists(member => member.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static string NameOf(ref Utf8JsonReader reader)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // The bytes are not valid UTF-8.
            return "";
        }
    }

    /// <summary>
    /// Returns a member name from the publisher for an error text. A name that is not an identifier may be content, for
    /// instance the key of a dictionary, and only its length is returned.
    /// </summary>
    private static string DescribeForeign(string name)
    {
        // Some serializers begin the names of metadata with @.
        var identifier = name.StartsWith('@') ? name.AsSpan(1) : name;
        var isIdentifier = name.Length > 0;
        foreach (var c in identifier)
        {
            isIdentifier &= char.IsLetterOrDigit(c) || c is '_' or '-' or '.' or ':' or '$';
        }

        return isIdentifier ? Cut(name) : $"(a name of {name.Length:N0} characters)";
    }

    private static string Cut(string name)
    {
        var start = PrintableText.Of(name, MaxNameLength);
        return name.Length > MaxNameLength ? $"{start}..." : start;
    }

    /// <summary>Joins the first names of a list, and adds the number of the others.</summary>
    private static string JoinFirst(IEnumerable<string> first, int count)
    {
        var names = string.Join(", ", first);
        return count > MaxListed ? $"{names} and {count - MaxListed:N0} more" : names;
    }
}
