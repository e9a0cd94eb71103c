using System.Collections.Immutable;

namespace EventBus;

/// <summary>Defines the allowed form of the template of a link.</summary>
internal static class LinkTemplate
{
    /// <summary>The form as a regular expression.</summary>
    public const string Pattern = @"https?://[^\s{}/]+(?:[^\s{}]|\{(?:id|subscription|service)\}){0,500}";

    /// <summary>The form in words.</summary>
    public const string Allowed = "null, and http and https addresses with {id}, {subscription} and {service} after the host,";

    private const int MaxUnits = 500;

    private static readonly ImmutableArray<string> Schemes = ["http://", "https://"];
    private static readonly ImmutableArray<string> Names = ["{id}", "{subscription}", "{service}"];

    /// <summary>Returns true if the whole text has the form of <see cref="Pattern"/>.</summary>
    public static bool Matches(string text)
    {
        var scheme = Schemes.FirstOrDefault(scheme => text.StartsWith(scheme, StringComparison.Ordinal), "");
        var position = scheme.Length;
        while (position < text.Length && IsPlain(text[position]) && text[position] != '/')
        {
            position++;
        }

        if (scheme.Length == 0 || position == scheme.Length)
        {
            return false;
        }

        // A unit is a character, or one of the names.
        for (var units = 0; position < text.Length && units < MaxUnits; units++)
        {
            var rest = text.AsSpan(position);
            var length = IsPlain(rest[0]) ? 1 : LengthOfName(rest);
            if (length == 0)
            {
                return false;
            }

            position += length;
        }

        return position == text.Length;
    }

    private static bool IsPlain(char character) => !char.IsWhiteSpace(character) && character is not ('{' or '}');

    private static int LengthOfName(ReadOnlySpan<char> text)
    {
        foreach (var name in Names)
        {
            if (text.StartsWith(name, StringComparison.Ordinal))
            {
                return name.Length;
            }
        }

        return 0;
    }
}
