using System.Diagnostics.CodeAnalysis;

namespace EventBus.Transports;

/// <summary>
/// A pattern of event names with the same grammar on every backend: words joined by dots, <c>*</c> for one word,
/// <c>#</c> for zero or more words.
/// </summary>
/// <remarks>The grammar of AMQP 0-9-1 topic exchanges. Immutable and thread-safe.</remarks>
public sealed record EventPattern
{
    internal const int MaxLength = 200;

    private readonly string[] words;

    private EventPattern(string text)
    {
        Text = text;
        IsExact = !text.AsSpan().ContainsAny('*', '#');

        // A pattern without wildcards needs no words: it is compared as a whole.
        words = IsExact ? [] : text.Split('.');
    }

    /// <summary>The text of the pattern.</summary>
    public string Text { get; }

    /// <summary>True if the pattern has no wildcard and is therefore one event name.</summary>
    public bool IsExact { get; }

    /// <summary>Parses a pattern.</summary>
    /// <param name="text">
    /// The text, for instance <c>order.placed</c>, <c>order.*</c> or <c>#</c>; at most 200 characters.
    /// </param>
    /// <exception cref="FormatException">The text is not a pattern; the message says why.</exception>
    public static EventPattern Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Problem(text) is { } problem ? throw new FormatException(problem) : new EventPattern(text);
    }

    /// <summary>Parses a pattern. An event name is a pattern for which <see cref="IsExact"/> is true.</summary>
    /// <param name="text">The text.</param>
    /// <param name="pattern">The pattern; null if the text is not a pattern.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out EventPattern? pattern)
    {
        ArgumentNullException.ThrowIfNull(text);
        pattern = Problem(text) is null ? new EventPattern(text) : null;
        return pattern is not null;
    }

    /// <summary>Returns true if an event name matches the pattern.</summary>
    /// <param name="eventName">The event's name.</param>
    public bool Matches(string eventName) =>
        IsExact ? string.Equals(Text, eventName, StringComparison.Ordinal) : Matches(words, eventName.Split('.'));

    /// <inheritdoc/>
    public bool Equals(EventPattern? other) => other is not null && string.Equals(Text, other.Text, StringComparison.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Text);

    /// <inheritdoc/>
    public override string ToString() => Text;

    /// <summary>Describes why a text is not a pattern; null if it is one.</summary>
    internal static string? Problem(string text)
    {
        const string Grammar = "A pattern is lower-case words joined by dots, with * for one word and # for any number of words, for "
            + "instance order.placed, order.* or order.#.";
        if (text.Length is 0 or > MaxLength)
        {
            return $"The pattern '{text}' has {text.Length} characters; 1 to {MaxLength} are allowed. {Grammar}";
        }

        foreach (var range in text.AsSpan().Split('.'))
        {
            var word = text.AsSpan(range);
            if (word is not ("*" or "#") && !EventNameRules.IsWord(word))
            {
                return $"The pattern '{text}' is invalid at '{word}'. {Grammar}";
            }
        }

        return null;
    }

    private static bool Matches(ReadOnlySpan<string> pattern, ReadOnlySpan<string> name)
    {
        // The classic greedy glob algorithm: on a mismatch the last # takes one more word. Linear in practice,
        // quadratic at worst, never exponential.
        var patternIndex = 0;
        var nameIndex = 0;

        // The index of the last # in the pattern, and the index of the first word of the name that it does not take.
        var hashIndex = -1;
        var afterHash = 0;
        while (nameIndex < name.Length)
        {
            var word = patternIndex < pattern.Length ? pattern[patternIndex] : null;
            if (word == "#")
            {
                hashIndex = patternIndex;
                afterHash = nameIndex;
                patternIndex++;
            }
            else if (word == "*" || word == name[nameIndex])
            {
                patternIndex++;
                nameIndex++;
            }
            else if (hashIndex >= 0)
            {
                afterHash++;
                nameIndex = afterHash;
                patternIndex = hashIndex + 1;
            }
            else
            {
                return false;
            }
        }

        // Each # at the end may take no word.
        while (patternIndex < pattern.Length && pattern[patternIndex] == "#")
        {
            patternIndex++;
        }

        return patternIndex == pattern.Length;
    }
}
