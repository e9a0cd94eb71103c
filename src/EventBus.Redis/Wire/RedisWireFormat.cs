using System.Globalization;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Serializes an event as the fields of a stream entry: CloudEvents attributes under their own names, user headers with
/// a prefix, the body as <c>data</c>.
/// </summary>
internal static class RedisWireFormat
{
    public const string Data = "data";
    public const string HeaderPrefix = "header:";
    private const int MaxTypeLength = 200;

    public static ReadOnlySpan<byte> HeaderPrefixBytes => "header:"u8;

    public static NameValueEntry[] Write(Envelope envelope, string source)
    {
        var fields = new NameValueEntry[9
            + Given(envelope.Key)
            + Given(envelope.CausationId)
            + (envelope.IdIsDerived ? 1 : 0)
            + Given(envelope.TraceParent)
            + Given(envelope.TraceState)
            + envelope.Headers.Count];
        fields[0] = new(CloudEventAttributes.SpecVersion, CloudEventAttributes.Version);
        fields[1] = new(CloudEventAttributes.Id, envelope.Id);
        fields[2] = new(CloudEventAttributes.Type, envelope.Name);
        fields[3] = new(CloudEventAttributes.Source, envelope.Source ?? source);
        fields[4] = new(CloudEventAttributes.Time, envelope.Time.UtcDateTime.ToString("O", CultureInfo.InvariantCulture));
        fields[5] = new(CloudEventAttributes.DataContentType, envelope.ContentType);
        fields[6] = new(CloudEventAttributes.EventVersion, envelope.Version);
        fields[7] = new(CloudEventAttributes.CorrelationId, envelope.CorrelationId);
        var next = 8;
        Add(CloudEventAttributes.PartitionKey, envelope.Key);
        Add(CloudEventAttributes.CausationId, envelope.CausationId);
        Add(CloudEventAttributes.DerivedId, envelope.IdIsDerived ? "true" : null);
        Add(CloudEventAttributes.TraceParent, envelope.TraceParent);
        Add(CloudEventAttributes.TraceState, envelope.TraceState);
        foreach (var (name, value) in envelope.Headers)
        {
            fields[next++] = new(HeaderPrefix + name, value);
        }

        fields[next] = new(Data, envelope.Body);
        return fields;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                fields[next++] = new(name, value);
            }
        }
    }

    /// <summary>
    /// Reads an entry; never throws. An entry with only <c>type</c> and <c>data</c> is valid; other fields have
    /// defaults.
    /// </summary>
    /// <param name="word">The first word of the event names in the stream.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="texts">Caches strings that most entries have in common.</param>
    public static Envelope Read(string word, in RedisEntry entry, RedisStringCache texts)
    {
        var fields = entry.ReadFields(texts);
        var defect = fields.Defect;
        var type = fields.EventName;
        if (type is null)
        {
            defect ??= fields.TypeLength switch
            {
                null => "The entry has no field 'type'.",
                > MaxTypeLength and var length => $"The attribute 'type' has {length:N0} characters; at most {MaxTypeLength} are read.",
                _ => "The field 'type' is no event name.",
            };
            type = Nameless(word);
        }

        if (!fields.TryGetTime(out var time))
        {
            defect ??= "The field 'time' is no time.";
        }

        if (!fields.TryGetVersion(out var version))
        {
            (defect, version) = (defect ?? "The field 'eventversion' is no positive number.", 1);
        }

        var id = fields.Id ?? OwnId(word, entry.Id);
        if (id.Length == 0)
        {
            (defect, id) = (defect ?? "The field 'id' is empty.", OwnId(word, entry.Id));
        }

        if (fields.Data is null)
        {
            defect ??= "The entry has no field 'data'.";
        }

        return new Envelope(
            new EnvelopeAttributes
            {
                Id = id,
                Name = type,
                Version = version,
                Key = fields.Key ?? fields.Subject,
                Time = time,
                Headers = fields.Headers,
                CorrelationId = fields.CorrelationId,
                CausationId = fields.CausationId,
                IdIsDerived = fields.IdIsDerived,
                TraceParent = fields.TraceParent,
                TraceState = fields.TraceState,
                Source = fields.Source,
                ContentType = fields.ContentType ?? "application/json",
                Defect = defect,
            },
            fields.Data ?? []);
    }

    /// <summary>
    /// Gets the event name of entries without a valid event name. Every subscription that reads the stream receives
    /// them.
    /// </summary>
    public static string Nameless(string word) => $"{word}.unreadable";

    /// <summary>
    /// Gets an id for entries that have none. It is unique while the stream exists, and equal for all subscriptions and
    /// deliveries.
    /// </summary>
    private static string OwnId(string word, RedisValue entry) => $"{word}/{entry}";

    private static int Given(string? value) => value is null ? 0 : 1;
}
