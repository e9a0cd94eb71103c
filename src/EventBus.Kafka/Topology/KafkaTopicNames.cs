using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using EventBus.Transports;

namespace EventBus;

/// <summary>Converts the first words of event names to topics and back.</summary>
internal sealed class KafkaTopicNames(KafkaOptions options)
{
    /// <summary>The maximum length of the name of a topic.</summary>
    public const int MaxLength = 249;

    private const string Placeholder = "{word}";

    private static readonly SearchValues<char> PlainCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    private readonly string prefix = PartsOf(options.TopicFormat).Prefix;
    private readonly string suffix = PartsOf(options.TopicFormat).Suffix;

    /// <summary>True if the format has its placeholder once.</summary>
    public static bool IsFormat(string format)
    {
        var at = format.IndexOf(Placeholder, StringComparison.Ordinal);
        return at >= 0 && !string.Concat(format.AsSpan(0, at), format.AsSpan(at + Placeholder.Length)).AsSpan().ContainsAny('{', '}');
    }

    /// <summary>True if a text can be the name of a topic.</summary>
    public static bool IsTopic(string name) =>
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
        if (!EventPattern.TryParse(middle, out var pattern) || !pattern.IsExact || middle.Contains('.', StringComparison.Ordinal)
            || options.Topics.ContainsKey(middle))
        {
            return false;
        }

        word = middle;
        return true;
    }

    private static (string Prefix, string Suffix) PartsOf(string format)
    {
        var at = format.IndexOf(Placeholder, StringComparison.Ordinal);
        return at < 0 ? (format, "") : (format[..at], format[(at + Placeholder.Length)..]);
    }
}
