using System.Text;

namespace EventBus;

/// <summary>The rules for event names, and the convention that makes one from a type.</summary>
internal static class EventNameRules
{
    public const int MaxLength = 200;

    private const string Grammar = "An event name is two or more lower-case words joined by dots, the last one the action, for instance order.placed or order-line-item.added.";

    /// <summary>Why a text is no event name, or null.</summary>
    public static string? Problem(string name)
    {
        if (name.Length is 0 or > MaxLength)
        {
            return $"The event name '{name}' has {name.Length} characters; 1 to {MaxLength} are allowed. {Grammar}";
        }

        var words = name.Split('.');
        if (words.Length < 2)
        {
            return $"The event name '{name}' has only one word. {Grammar}";
        }

        return Array.Find(words, word => !IsWord(word)) is { } bad ? $"The event name '{name}' is invalid at '{bad}'. {Grammar}" : null;
    }

    /// <summary>Whether a text is one word: letters and digits in lower case, hyphens inside.</summary>
    public static bool IsWord(ReadOnlySpan<char> word)
    {
        if (word.Length == 0 || word[0] == '-' || word[^1] == '-')
        {
            return false;
        }

        foreach (var c in word)
        {
            if (c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-'))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// The name by convention: the last Pascal word is the action, the rest the entity. Null when the type's name has
    /// too few words or is generic.
    /// </summary>
    public static string? FromType(Type type)
    {
        if (type.IsGenericType || type.IsArray)
        {
            return null;
        }

        var words = PascalWords(type.Name);
        if (words.Count > 2 && words[^1] == "event")
        {
            words.RemoveAt(words.Count - 1);
        }

        return words.Count < 2 ? null : $"{string.Join('-', words.Take(words.Count - 1))}.{words[^1]}";
    }

    /// <summary>A type's name in kebab case: <c>SendReceipt</c> becomes <c>send-receipt</c>.</summary>
    public static string Kebab(Type type)
    {
        var name = type.Name;
        var generic = name.IndexOf('`', StringComparison.Ordinal);
        return string.Join('-', PascalWords(generic < 0 ? name : name[..generic]));
    }

    private static List<string> PascalWords(string name)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        for (var i = 0; i < name.Length; i++)
        {
            var c = name[i];
            var starts = char.IsUpper(c) && (i == 0 || !char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if ((starts || !char.IsLetterOrDigit(c)) && word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }

            if (char.IsLetterOrDigit(c))
            {
                word.Append(char.ToLowerInvariant(c));
            }
        }

        if (word.Length > 0)
        {
            words.Add(word.ToString());
        }

        return words;
    }
}
