using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Holds the JSON members of an event type, and recognizes objects that have none of them. Such an object is not an
/// event of this type: it would be deserialized with only default values. Thread-safe.
/// </summary>
internal sealed class EventMembers
{
    // The maximum length of the type name in a text.
    private const int MaxTypeLength = 200;

    private readonly JsonTypeInfo info;
    private readonly MemberNames names;

    // The names of the members as UTF-8, so that a name is compared without creating a string.
    private readonly List<byte[]> knownUtf8;
    private readonly List<string> required;
    private readonly JsonReaderOptions readerOptions;

    private EventMembers(JsonTypeInfo info, MemberNames names)
    {
        this.info = info;
        this.names = names;
        required = [.. info.Properties.Where(property => property.IsRequired).Select(property => property.Name)];
        knownUtf8 = [.. names.Known.Select(name => Encoding.UTF8.GetBytes(name))];
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
    public static EventMembers? For(JsonTypeInfo info) => MemberNames.Of(info) is { } names ? new EventMembers(info, names) : null;

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
            if (!names.Metadata.Contains(name, StringComparer.Ordinal))
            {
                unknown ??= [];
                count++;
                if (count <= MemberNameText.MaxListed)
                {
                    unknown.Add(MemberNameText.DescribeForeign(name));
                }
            }

            reader.Skip();
        }

        if (unknown is null)
        {
            return null;
        }

        return new Rejection(
            DeadLetterReason.Unreadable,
            $"{Rejection.OtherMembers}{PrintableText.Of(info.Type.ToString(), MaxTypeLength)}: expected is one of "
                + $"{MemberNameText.List(names.Known)}.")
        {
            Foreign = $"{Rejection.ForeignMembers}{MemberNameText.JoinFirst(unknown, count)}.",
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

        return missing.Count == 0 ? "" : $"; required and missing: {MemberNameText.List(missing)}";
    }

    private bool IsKnown(ref Utf8JsonReader reader)
    {
        foreach (var utf8 in knownUtf8)
        {
            if (reader.ValueTextEquals(utf8))
            {
                return true;
            }
        }

        return info.Options.PropertyNameCaseInsensitive && IsKnownInOtherCase(NameOf(ref reader));
    }

    private bool IsKnownInOtherCase(string name) => names.Known.Contains(name, StringComparer.OrdinalIgnoreCase);

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
}
