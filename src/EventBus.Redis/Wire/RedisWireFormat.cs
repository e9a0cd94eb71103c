using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Unicode;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Converts an event to and from the fields of a stream entry: CloudEvents attributes under their own names, user
/// headers with a prefix, the body as <c>data</c>.
/// </summary>
internal static class RedisWireFormat
{
    private const string Data = "data";
    private const string HeaderPrefix = "header:";
    private const int MaxTypeLength = 200;

    // The attributes that every entry has, from specversion to correlationid, and the body.
    private const int RequiredFields = 9;

    private static ReadOnlySpan<byte> HeaderPrefixBytes => "header:"u8;

    /// <summary>Converts an event to the fields of an entry. An event without a source gets the given one.</summary>
    /// <exception cref="EventBusException">The event cannot be serialized.</exception>
    public static NameValueEntry[] Write(Envelope envelope, string source)
    {
        var fields = new NameValueEntry[RequiredFields
            + CountOf(envelope.Key)
            + CountOf(envelope.CausationId)
            + (envelope.IdIsDerived ? 1 : 0)
            + CountOf(envelope.TraceParent)
            + CountOf(envelope.TraceState)
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

    /// <summary>Reads an entry; never throws. All fields but <c>type</c> and <c>data</c> have defaults.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="stream">The stream of the entry.</param>
    /// <param name="names">Creates the id or the event name of an entry that has none.</param>
    /// <param name="cache">Caches strings that most entries have in common.</param>
    public static Envelope Read(in RedisEntry entry, RedisKey stream, RedisTopology names, RedisStringCache cache)
    {
        var fields = FieldsOf(entry);
        var defect = fields.Defect;
        var name = fields.Type.IsNull ? null : cache.GetEventName(BytesOf(fields.Type));
        if (name is null)
        {
            defect ??= TypeDefect(fields.Type);
            name = names.UnreadableNameOf(stream);
        }

        if (!TryReadTime(fields.Time, out var time))
        {
            defect ??= "The field 'time' is not a valid time.";
        }

        if (!TryReadVersion(fields.Version, out var version))
        {
            defect ??= "The field 'eventversion' is not a positive number.";
            version = 1;
        }

        // An entry may have no id, but not an empty one.
        var id = fields.Id.IsNull ? names.EntryIdOf(stream, entry.Id) : (string)fields.Id!;
        if (id.Length == 0)
        {
            defect ??= "The field 'id' is empty.";
            id = names.EntryIdOf(stream, entry.Id);
        }

        defect ??= fields.Body is null ? "The entry has no field 'data'." : null;

        return new Envelope(
            new EnvelopeAttributes
            {
                Id = id,
                Name = name,
                Version = version,
                Key = fields.Key ?? fields.Subject,
                Time = time,
                Headers = fields.Headers,

                // Null means the event's own id. Events that begin a process have it as their correlation id.
                CorrelationId = BytesOf(fields.CorrelationId).SequenceEqual(BytesOf(fields.Id)) ? null : (string?)fields.CorrelationId,
                CausationId = fields.CausationId,
                IdIsDerived = fields.IdIsDerived,
                TraceParent = fields.TraceParent,
                TraceState = fields.TraceState,
                Source = fields.Source.IsNull ? null : cache.Get(BytesOf(fields.Source)),
                ContentType = fields.ContentType ?? "application/json",
                Defect = defect,
            },
            fields.Body ?? []);
    }

    /// <summary>Collects the fields of an entry. If several have the same name, the last one counts.</summary>
    private static Fields FieldsOf(in RedisEntry entry)
    {
        var fields = default(Fields);
        Span<char> nameBuffer = stackalloc char[CloudEventAttributes.MaxLength];
        for (var i = 0; i < entry.FieldCount; i++)
        {
            // The names are compared without allocating strings.
            var name = BytesOf(entry.NameAt(i));
            var value = entry.ValueAt(i);
            if (name.StartsWith(HeaderPrefixBytes))
            {
                var header = Encoding.UTF8.GetString(name[HeaderPrefixBytes.Length..]);
                (fields.Headers ??= new(StringComparer.Ordinal))[header] = (string)value!;
            }
            else if (name.Length <= nameBuffer.Length && Ascii.ToUtf16(name, nameBuffer, out var length) == OperationStatus.Done)
            {
                fields.Set(nameBuffer[..length], value);
            }
        }

        return fields;
    }

    private static string TypeDefect(RedisValue type)
    {
        if (type.IsNull)
        {
            return "The entry has no field 'type'.";
        }

        var length = Encoding.UTF8.GetCharCount(BytesOf(type));
        return length > MaxTypeLength
            ? $"The attribute 'type' has {length:N0} characters; at most {MaxTypeLength} are read."
            : "The field 'type' is not an event name.";
    }

    /// <summary>Reads the time; the Unix epoch if there is no such field. False if it is not a valid time.</summary>
    private static bool TryReadTime(RedisValue time, out DateTimeOffset published)
    {
        published = DateTimeOffset.UnixEpoch;
        if (time.IsNull)
        {
            return true;
        }

        // The format that the bus writes is parsed without allocating a string. Any other valid time is accepted too.
        var bytes = BytesOf(time);
        return (bytes.Length > 0
            && bytes[^1] == 'Z'
            && Utf8Parser.TryParse(bytes, out published, out var length, 'O')
            && length == bytes.Length)
            || DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out published);
    }

    /// <summary>Reads the version; 1 if there is no such field. False if it is not a positive number.</summary>
    private static bool TryReadVersion(RedisValue version, out int number)
    {
        number = 1;
        return version.IsNull
            || (int.TryParse(BytesOf(version), NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0);
    }

    private static ReadOnlySpan<byte> BytesOf(RedisValue value) => ((ReadOnlyMemory<byte>)value).Span;

    private static int CountOf(string? optional) => optional is null ? 0 : 1;

    /// <summary>Holds the fields of an entry that the bus uses.</summary>
    private struct Fields
    {
        public RedisValue Id { get; private set; }

        public RedisValue Type { get; private set; }

        public RedisValue Source { get; private set; }

        public RedisValue Time { get; private set; }

        public RedisValue Version { get; private set; }

        public RedisValue CorrelationId { get; private set; }

        public string? CausationId { get; private set; }

        public bool IdIsDerived { get; private set; }

        public string? Key { get; private set; }

        public string? Subject { get; private set; }

        public string? TraceParent { get; private set; }

        public string? TraceState { get; private set; }

        /// <summary>The media type; null if it is missing or <c>application/json</c>.</summary>
        public string? ContentType { get; private set; }

        public byte[]? Body { get; private set; }

        public Dictionary<string, string>? Headers { get; set; }

        /// <summary>The reason why the fields are invalid; null if they are valid.</summary>
        public string? Defect { get; private set; }

        /// <summary>Stores a field. An attribute that the bus does not use is ignored.</summary>
        public void Set(scoped ReadOnlySpan<char> name, RedisValue value)
        {
            switch (name)
            {
                case Data:
                    Body = value;
                    break;
                case CloudEventAttributes.Id:
                    Id = ValidText(value, CloudEventAttributes.Id);
                    break;
                case CloudEventAttributes.Type:
                    Type = value;
                    break;
                case CloudEventAttributes.Time:
                    Time = value;
                    break;
                case CloudEventAttributes.Source:
                    Source = value;
                    break;
                case CloudEventAttributes.EventVersion:
                    Version = value;
                    break;
                case CloudEventAttributes.DataContentType:
                    var isJson = BytesOf(value).SequenceEqual("application/json"u8);
                    ContentType = isJson ? null : (string?)ValidText(value, CloudEventAttributes.DataContentType);
                    break;
                case CloudEventAttributes.CorrelationId:
                    CorrelationId = ValidText(value, CloudEventAttributes.CorrelationId);
                    break;
                case CloudEventAttributes.PartitionKey:
                    Key = ValidText(value, CloudEventAttributes.PartitionKey);
                    break;
                case CloudEventAttributes.Subject:
                    Subject = ValidText(value, CloudEventAttributes.Subject);
                    break;
                case CloudEventAttributes.CausationId:
                    CausationId = ValidText(value, CloudEventAttributes.CausationId);
                    break;
                case CloudEventAttributes.DerivedId:
                    IdIsDerived = BytesOf(value).SequenceEqual("true"u8);
                    break;
                case CloudEventAttributes.TraceParent:
                    TraceParent = value;
                    break;
                case CloudEventAttributes.TraceState:
                    TraceState = value;
                    break;
                default:
                    break;
            }
        }

        /// <summary>
        /// Returns the value if it is valid UTF-8; otherwise null, and sets the defect. Invalid bytes would all be read
        /// as the replacement character, and different ids would become equal.
        /// </summary>
        private RedisValue ValidText(RedisValue value, string attribute)
        {
            if (Utf8.IsValid(BytesOf(value)))
            {
                return value;
            }

            Defect ??= $"The attribute '{attribute}' is not valid UTF-8.";
            return RedisValue.Null;
        }
    }
}
