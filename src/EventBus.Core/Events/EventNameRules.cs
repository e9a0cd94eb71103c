using System.Reflection;
using System.Text;

namespace EventBus;

/// <summary>Defines the rules for event names, and derives the default name of a type.</summary>
internal static class EventNameRules
{
    public const int MaxLength = 200;

    private const string Grammar = "An event name is two or more lower-case words joined by dots, the last one the action, for instance "
        + "order.placed or order-line-item.added.";

    /// <summary>Describes why a text is not an event name; null if it is one.</summary>
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

        var invalid = Array.Find(words, word => !IsWord(word));
        return invalid is null ? null : $"The event name '{name}' is invalid at '{invalid}'. {Grammar}";
    }

    /// <summary>Returns true if a text is one word: lower-case letters and digits, with hyphens inside.</summary>
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
    /// Derives the event name from a type: the last Pascal-case word is the action, and the rest is the entity. Null if
    /// the type's name has only one word, or the type is generic or an array.
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

    /// <summary>Returns the event name of a type; the name of the type itself if it cannot be an event type.</summary>
    public static string NameOf(Type type) => type.GetCustomAttribute<EventNameAttribute>()?.Name ?? FromType(type) ?? type.Name;

    /// <summary>
    /// Names a subscription by convention: <c>SendReceiptHandler</c> of <c>OrderPlaced</c> becomes
    /// <c>send-receipt.order-placed</c>. A trailing <c>Handler</c>, <c>Consumer</c> or <c>Event</c> is dropped.
    /// </summary>
    public static string SubscriptionName(Type handler, Type handled) =>
        $"{KebabWithout(handler, "handler", "consumer")}.{KebabWithout(handled, "event")}";

    /// <summary>Returns a type's name in kebab case: <c>SendReceipt</c> becomes <c>send-receipt</c>.</summary>
    public static string Kebab(Type type) => KebabWithout(type);

    private static string KebabWithout(Type type, params ReadOnlySpan<string> suffixes)
    {
        // The name of a generic type ends with ` and the number of its parameters.
        var name = type.Name;
        var generic = name.IndexOf('`', StringComparison.Ordinal);
        var words = PascalWords(generic < 0 ? name : name[..generic]);
        if (words.Count > 1 && suffixes.Contains(words[^1]))
        {
            words.RemoveAt(words.Count - 1);
        }

        return string.Join('-', words);
    }

    /// <summary>Splits a Pascal-case name into words in lower case. Capitals in a row are one word.</summary>
    private static List<string> PascalWords(string name)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        for (var i = 0; i < name.Length; i++)
        {
            var c = name[i];
            var followsCapital = i > 0 && char.IsUpper(name[i - 1]);
            var precedesSmall = i + 1 < name.Length && char.IsLower(name[i + 1]);
            var startsWord = char.IsUpper(c) && (!followsCapital || precedesSmall);
            if ((startsWord || !char.IsLetterOrDigit(c)) && word.Length > 0)
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
