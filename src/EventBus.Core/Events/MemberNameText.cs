namespace EventBus;

/// <summary>Formats names of JSON members for error texts.</summary>
internal static class MemberNameText
{
    /// <summary>The maximum number of names in a text.</summary>
    public const int MaxListed = 5;

    private const int MaxNameLength = 64;

    /// <summary>
    /// Returns a member name from the publisher for an error text. A name that is not an identifier may be content, for
    /// instance the key of a dictionary, and only its length is returned.
    /// </summary>
    public static string DescribeForeign(string name)
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

    /// <summary>Lists the names; of many the first, and the number of the others.</summary>
    public static string List(IReadOnlyCollection<string> names) => JoinFirst(names.Take(MaxListed).Select(Cut), names.Count);

    /// <summary>Joins names, and adds the number of those that are left out.</summary>
    /// <param name="first">The first names: at most <see cref="MaxListed"/>.</param>
    /// <param name="count">The number of all names.</param>
    public static string JoinFirst(IEnumerable<string> first, int count)
    {
        var names = string.Join(", ", first);
        return count > MaxListed ? $"{names} and {count - MaxListed:N0} more" : names;
    }

    /// <summary>Returns a name as printable text, shortened to 64 characters.</summary>
    public static string Cut(string name)
    {
        var start = PrintableText.Of(name, MaxNameLength);
        return name.Length > MaxNameLength ? $"{start}..." : start;
    }
}
