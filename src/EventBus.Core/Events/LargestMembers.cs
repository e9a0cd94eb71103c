using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace EventBus;

/// <summary>
/// Names the largest members of a JSON object with their sizes, for the text about an object that is too large. The
/// text contains no values, and only names that the type declares: other names may be content, for instance the keys of
/// a dictionary.
/// </summary>
internal static class LargestMembers
{
    private const int MaxNamed = 3;

    // Members that are smaller than this part of the object are not named, because removing them would not help.
    private const int SmallestPart = 100;

    // The text for a member that the type does not declare.
    private const string Undeclared = "another member";

    /// <summary>Names up to three members with the size of their values, the largest first.</summary>
    /// <param name="body">JSON as UTF-8.</param>
    /// <param name="info">The type of the object; null if it is unknown.</param>
    /// <returns>
    /// A sentence that begins with a space; empty if the body is no JSON object, has no members or is not valid.
    /// </returns>
    public static string Describe(ReadOnlySpan<byte> body, JsonTypeInfo? info)
    {
        try
        {
            var declared = info is null ? [] : MemberNames.Declared(info);
            var largest = Find(body, declared, info?.Options);
            return largest.Count == 0
                ? ""
                : $" Its largest members: {string.Join(", ", largest.Select(member => $"{member.Name} ({member.Bytes:N0} bytes)"))}.";
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or NotSupportedException)
        {
            // The body is not valid JSON, a name in it is not valid Unicode, or a derived type cannot be described.
            return "";
        }
    }

    /// <summary>Names the largest members of an object that was parsed.</summary>
    public static string Describe(JsonElement value, JsonTypeInfo? info) => Describe(JsonMarshal.GetRawUtf8Value(value), info);

    private static List<(string Name, long Bytes)> Find(
        ReadOnlySpan<byte> body,
        IReadOnlyList<string> declared,
        JsonSerializerOptions? options)
    {
        var largest = new List<(string Name, long Bytes)>(MaxNamed + 1);
        var reader = new Utf8JsonReader(body, new JsonReaderOptions
        {
            AllowTrailingCommas = true,
            CommentHandling = JsonCommentHandling.Skip,
            MaxDepth = options?.MaxDepth ?? 0,
        });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            return largest;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var atName = reader;
            reader.Read();
            var start = reader.TokenStartIndex;
            reader.Skip();
            var bytes = reader.BytesConsumed - start;
            var position = 0;
            while (position < largest.Count && largest[position].Bytes >= bytes)
            {
                position++;
            }

            if (position < MaxNamed)
            {
                largest.Insert(position, (NameOf(ref atName, declared, options), bytes));
                largest.RemoveRange(Math.Min(largest.Count, MaxNamed), Math.Max(0, largest.Count - MaxNamed));
            }
        }

        // The largest one is always named.
        var smallest = body.Length / SmallestPart;
        return [.. largest.Take(1).Concat(largest.Skip(1).Where(member => member.Bytes >= smallest))];
    }

    /// <summary>Returns the declared name of a member, shortened, and never the text of the body.</summary>
    private static string NameOf(ref Utf8JsonReader reader, IReadOnlyList<string> declared, JsonSerializerOptions? options)
    {
        foreach (var name in declared)
        {
            if (reader.ValueTextEquals(name))
            {
                return MemberNameText.Cut(name);
            }
        }

        if (options is not { PropertyNameCaseInsensitive: true })
        {
            return Undeclared;
        }

        var text = reader.GetString();
        var other = declared.FirstOrDefault(name => name.Equals(text, StringComparison.OrdinalIgnoreCase));
        return other is null ? Undeclared : MemberNameText.Cut(other);
    }
}
