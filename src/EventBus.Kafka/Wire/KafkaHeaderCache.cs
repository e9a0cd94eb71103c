using System.Collections.Concurrent;
using System.Text;
using Confluent.Kafka;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Keeps the headers that the events of an application have in common: one for each event name, and the source.
/// Thread-safe; keeps at most 1,000 names.
/// </summary>
/// <param name="source">The source of the application.</param>
internal sealed class KafkaHeaderCache(string source)
{
    private const int MaxNames = 1_000;

    private readonly ConcurrentDictionary<string, Header> types = new(StringComparer.Ordinal);
    private readonly Header ownSource = Create(CloudEventAttributes.Source, source);

    /// <summary>The version of CloudEvents.</summary>
    public Header SpecVersion { get; } = Create(CloudEventAttributes.SpecVersion, CloudEventAttributes.Version);

    /// <summary>The media type of JSON.</summary>
    public Header Json { get; } = new(KafkaHeaderNames.ContentType, "application/json"u8.ToArray());

    /// <summary>Gets the header of an event name.</summary>
    public Header TypeOf(string name)
    {
        if (types.TryGetValue(name, out var header))
        {
            return header;
        }

        header = Create(CloudEventAttributes.Type, name);
        if (types.Count < MaxNames)
        {
            types[name] = header;
        }

        return header;
    }

    /// <summary>Gets the header of a source; null for the source of the application.</summary>
    public Header SourceOf(string? other) => other is null ? ownSource : Create(CloudEventAttributes.Source, other);

    private static Header Create(string attribute, string value) =>
        new(KafkaHeaderNames.AttributePrefix + attribute, Encoding.UTF8.GetBytes(value));
}
