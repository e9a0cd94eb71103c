using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using EventBus.Transports;

namespace EventBus;

/// <summary>Converts the first words of event names to topics and back.</summary>
internal sealed class KafkaTopicNames(KafkaOptions options)
{
    private const int MaxLength = 249;

    private const string Setting = $"{nameof(KafkaOptions)}.{nameof(KafkaOptions.Topics)}";
    private const string Placeholder = "{word}";

    private static readonly SearchValues<char> PlainCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    private readonly string prefix = PartsOf(options.TopicFormat).Prefix;
    private readonly string suffix = PartsOf(options.TopicFormat).Suffix;

    /// <summary>Checks the topics of single words.</summary>
    /// <exception cref="ArgumentException">A key is no word, or a value is no name of a topic.</exception>
    public static void Check(KafkaOptions options)
    {
        foreach (var (word, topic) in options.Topics)
        {
            if (!IsWord(word))
            {
                throw new ArgumentException(
                    $"{Setting} has the key '{word}'; the first word of an event name is expected, for instance order.",
                    nameof(options));
            }

            if (!IsTopic(topic))
            {
                throw new ArgumentException(
                    $"{Setting} has the topic '{topic}' for the word '{word}'; 1 to {MaxLength} letters, digits, hyphens, underscores and "
                        + "dots are allowed.",
                    nameof(options));
            }
        }
    }

    /// <summary>True if a text can be the name of a topic.</summary>
    private static bool IsTopic(string name) =>
        name.Length is > 0 and <= MaxLength && name is not ("." or "..") && !name.AsSpan().ContainsAnyExcept(PlainCharacters);

    /// <summary>Gets the topic of a first word.</summary>
    public string TopicOf(string word) => options.Topics.TryGetValue(word, out var topic) ? topic : $"{prefix}{word}{suffix}";

    /// <summary>Gets the first word of the events of a topic, if the topic has the form of the bus.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="word">The word; for a topic of several words, one of them.</param>
    public bool TryGetWord(string topic, [NotNullWhen(true)] out string? word)
    {
        word = options.Topics.Where(pair => pair.Value == topic).Select(pair => pair.Key).Order(StringComparer.Ordinal).FirstOrDefault();
        if (word is not null)
        {
            return true;
        }

        if (topic.Length <= prefix.Length + suffix.Length
            || !topic.StartsWith(prefix, StringComparison.Ordinal)
            || !topic.EndsWith(suffix, StringComparison.Ordinal))
        {
            return false;
        }

        var middle = topic[prefix.Length..^suffix.Length];
        if (!IsWord(middle) || options.Topics.ContainsKey(middle))
        {
            return false;
        }

        word = middle;
        return true;
    }

    private static bool IsWord(string text) =>
        EventPattern.TryParse(text, out var pattern) && pattern.IsExact && !text.Contains('.', StringComparison.Ordinal);

    private static (string Prefix, string Suffix) PartsOf(string format)
    {
        var at = format.IndexOf(Placeholder, StringComparison.Ordinal);
        return at < 0 ? (format, "") : (format[..at], format[(at + Placeholder.Length)..]);
    }
}
