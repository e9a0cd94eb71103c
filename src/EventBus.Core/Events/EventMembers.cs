using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Knows the JSON members of an event type and recognises objects that have none of them. Such an object is not an
/// event of this type: it would be deserialized with only default values. Thread-safe.
/// </summary>
internal sealed class EventMembers
{
    private const int MaxNames = 5;
    private const int MaxName = 64;
    private const int MaxType = 200;

    private readonly JsonTypeInfo info;
    private readonly List<(string Name, byte[] Utf8)> known;
    private readonly List<string> metadata;
    private readonly List<string> required;
    private readonly JsonReaderOptions reading;

    private EventMembers(JsonTypeInfo info, IEnumerable<string> names, List<string> metadata)
    {
        (this.info, this.metadata) = (info, metadata);
        required = [.. info.Properties.Where(property => property.IsRequired).Select(property => property.Name)];
        known = [.. names.Distinct(StringComparer.Ordinal).Select(name => (name, Encoding.UTF8.GetBytes(name)))];
        var options = info.Options;
        reading = new JsonReaderOptions
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
        var (names, metadata) = (new List<string>(), new List<string>());
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
        var reader = new Utf8JsonReader(body, reading);
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return null;
        }

        // The list is created only if a name is unknown.
        var (found, count) = ((List<string>?)null, 0);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (IsKnown(ref reader))
            {
                return null;
            }

            var name = NameOf(ref reader);
            if (!metadata.Contains(name, StringComparer.Ordinal))
            {
                found ??= [];
                count++;
                if (count <= MaxNames)
                {
                    found.Add(Foreign(name));
                }
            }

            reader.Skip();
        }

        return found is null ? null : new Rejection(
            DeadLetterReason.Unreadable,
            $"{Rejection.OtherMembers}{PrintableText.Of(info.Type.ToString(), MaxType)}: expected is one of "
                + $"{List(known.Take(MaxNames).Select(member => Cut(member.Name)), known.Count)}.")
        {
            Foreign = $"{Rejection.ForeignMembers}{List(found, count)}.",
        };
    }

    /// <summary>
    /// Names the required members of the type that a body does not have, for the error text of a body that could not be
    /// read. They are names of the type and no content.
    /// </summary>
    /// <returns>The end of a sentence; empty if none is missing, or if the body is not a valid object.</returns>
    public string NameMissing(ReadOnlySpan<byte> body)
    {
        var missing = new List<string>(required);
        try
        {
            var reader = new Utf8JsonReader(body, reading);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return "";
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = NameOf(ref reader);
                missing.RemoveAll(member => member.Equals(
                    name,
                    info.Options.PropertyNameCaseInsensitive ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal));
                reader.Skip();
            }
        }
        catch (JsonException)
        {
            return "";
        }

        return missing.Count == 0 ? "" : $"; required and missing: {List(missing.Take(MaxNames).Select(Cut), missing.Count)}";
    }

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
    private static string Foreign(string name) =>
        name.Length > 0 && name.Index().All(c => char.IsLetterOrDigit(c.Item)
            || c.Item is '_' or '-' or '.' or ':' or '$'
            || (c.Item == '@' && c.Index == 0)) ? Cut(name) : $"(a name of {name.Length:N0} characters)";

    private static string Cut(string name) =>
        name.Length > MaxName ? $"{PrintableText.Of(name, MaxName)}..." : PrintableText.Of(name, MaxName);

    private static string List(IEnumerable<string> first, int count) =>
        $"{string.Join(", ", first)}{(count > MaxNames ? $" and {count - MaxNames:N0} more" : "")}";
}
