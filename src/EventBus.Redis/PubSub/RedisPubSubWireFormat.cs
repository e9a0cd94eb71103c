using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using EventBus.Transports;

namespace EventBus;

/// <summary>An event as one message: CloudEvents 1.0 in structured mode, a JSON object of its attributes and <c>data</c>. Plain JSON without them is read too.</summary>
internal static class RedisPubSubWireFormat
{
    /// <summary>How deep a body may be nested to travel as JSON; one that is deeper travels as bytes.</summary>
    public const int MaxDepth = 1_000;

    /// <summary>The extension that holds, as the text of a JSON object, the user's headers whose names are no names of CloudEvents.</summary>
    public const string OddHeaders = "headers";

    private const int MaxTypeLength = 200;
    private const int Frame = 512;
    private const int TimeLength = 33;

    public static readonly JsonWriterOptions Writing = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <param name="envelope">The event.</param>
    /// <param name="source">Where it comes from, unless it says so itself.</param>
    /// <param name="writers">Lends what it is written with.</param>
    public static byte[] Write(Envelope envelope, string source, RedisPubSubWriterPool writers)
    {
        var body = envelope.Body.Span;
        var (buffer, writer) = writers.Take();
        writer.WriteStartObject();
        writer.WriteString("specversion", "1.0");
        writer.WriteString("id", envelope.EventId);
        writer.WriteString("type", envelope.EventName);
        writer.WriteString("source", envelope.Origin ?? source);
        writer.WriteString("time", Time(envelope.Time.UtcDateTime, stackalloc byte[TimeLength]));
        writer.WriteString("datacontenttype", envelope.ContentType);
        Add("partitionkey", envelope.Key);
        Add("correlationid", envelope.CorrelationId == envelope.EventId ? null : envelope.CorrelationId);
        Add("causationid", envelope.CausationId);
        Add("derivedid", envelope.IdIsDerived ? "true" : null);
        Add("traceparent", envelope.TraceParent);
        Add("tracestate", envelope.TraceState);
        if (envelope.EventVersion != 1)
        {
            writer.WriteNumber("eventversion", envelope.EventVersion);
        }

        WriteHeaders(writer, envelope.Headers);
        if (IsJson(envelope.ContentType) && IsValidJson(body))
        {
            writer.WritePropertyName("data");
            writer.WriteRawValue(body, skipInputValidation: true);
        }
        else
        {
            writer.WriteBase64String("data_base64", body);
        }

        writer.WriteEndObject();
        writer.Flush();
        var message = buffer.WrittenSpan.ToArray();
        writers.GiveBack(buffer, writer);
        return message;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                writer.WriteString(name, value);
            }
        }
    }

    /// <summary>Reads whatever arrived; never throws. An object with a <c>specversion</c> is an envelope, all else is a body.</summary>
    /// <param name="eventName">The event's name as the channel has it.</param>
    /// <param name="message">The message; owned by the envelope from now on.</param>
    /// <param name="texts">Remembers what most messages say.</param>
    /// <param name="idWasMade">The publisher gave no id.</param>
    public static Envelope Read(string eventName, byte[] message, RedisStringCache texts, out bool idWasMade)
    {
        var read = RedisPubSubMessage.TryRead(message, texts);
        var defect = read?.Defect;
        var type = read?[RedisPubSubAttribute.Type] ?? eventName;
        if (!string.Equals(type, eventName, StringComparison.Ordinal) && !RedisStringCache.IsEventName(type))
        {
            (type, defect) = (eventName, defect ?? (type.Length > MaxTypeLength ? $"The attribute 'type' has {type.Length:N0} characters; at most {MaxTypeLength} are read." : "The attribute 'type' is no event name."));
        }

        var time = read is null ? DateTimeOffset.UnixEpoch : read.Time;
        if (time is null)
        {
            (time, defect) = (DateTimeOffset.UnixEpoch, defect ?? "The attribute 'time' is no time.");
        }

        var version = 1;
        if (read?[RedisPubSubAttribute.Version] is { } versionText && !(int.TryParse(versionText, NumberStyles.None, CultureInfo.InvariantCulture, out version) && version > 0))
        {
            (version, defect) = (1, defect ?? "The attribute 'eventversion' is no number above zero.");
        }

        var id = read?[RedisPubSubAttribute.Id];
        idWasMade = id is not { Length: > 0 };
        return new Envelope(
            new EnvelopeAttributes
            {
                Id = id is { Length: > 0 } ? id : Hash(message, eventName),
                Name = type,
                Version = version,
                Time = time.Value,
                Key = read?[RedisPubSubAttribute.Key] ?? read?[RedisPubSubAttribute.Subject],
                CorrelationId = read?[RedisPubSubAttribute.CorrelationId],
                CausationId = read?[RedisPubSubAttribute.CausationId],
                IdIsDerived = read?[RedisPubSubAttribute.DerivedId] == "true",
                TraceParent = read?[RedisPubSubAttribute.TraceParent],
                TraceState = read?[RedisPubSubAttribute.TraceState],
                Origin = read?[RedisPubSubAttribute.Source],
                ContentType = read?[RedisPubSubAttribute.ContentType] ?? "application/json",
                Headers = read?.TakeHeaders(),
                Defect = defect,
            },
            read?.Data ?? message);
    }

    public static bool IsJson(string contentType)
    {
        var parameters = contentType.IndexOf(';', StringComparison.Ordinal);
        var type = contentType.AsSpan(0, parameters < 0 ? contentType.Length : parameters).Trim();
        return type.Equals("application/json", StringComparison.OrdinalIgnoreCase) || type.EndsWith("+json", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Extensions of CloudEvents have names of small letters and digits; headers of other names travel together in one.</summary>
    private static void WriteHeaders(Utf8JsonWriter writer, IReadOnlyDictionary<string, string> headers)
    {
        Dictionary<string, string>? odd = null;
        foreach (var (name, value) in headers)
        {
            if (name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c)) && !IsAttribute(name))
            {
                writer.WriteString(name, value);
            }
            else
            {
                (odd ??= new(StringComparer.Ordinal)).Add(name, value);
            }
        }

        if (odd is not null)
        {
            var buffer = new ArrayBufferWriter<byte>(Frame);
            using var inner = new Utf8JsonWriter(buffer, Writing);
            inner.WriteStartObject();
            foreach (var (name, value) in odd)
            {
                inner.WriteString(name, value);
            }

            inner.WriteEndObject();
            inner.Flush();
            writer.WriteString(OddHeaders, buffer.WrittenSpan);
        }
    }

    /// <summary>It means something itself, so that no header travels under it.</summary>
    private static bool IsAttribute(string name) => name is
        "specversion" or "id" or "type" or "source" or "time" or "datacontenttype" or "dataschema" or "subject" or "data" or OddHeaders
        or "eventversion" or "partitionkey" or "correlationid" or "causationid" or "derivedid" or "traceparent" or "tracestate";

    private static ReadOnlySpan<byte> Time(DateTime time, Span<byte> buffer) =>
        Utf8Formatter.TryFormat(time, buffer, out var length, 'O') ? buffer[..length] : throw new InvalidOperationException($"A time takes more than {TimeLength} bytes.");

    private static bool IsValidJson(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxDepth });
            while (reader.Read())
            {
            }

            // The reader leaves the inside of texts alone.
            return body.Length > 0 && Utf8.IsValid(body);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static string Hash(byte[] content, string name)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(name));
        hash.AppendData([0]);
        hash.AppendData(content);
        return $"sha256-{Convert.ToHexStringLower(hash.GetHashAndReset())}";
    }
}
