using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>How an event looks on the wire: CloudEvents 1.0 in binary mode, its attributes as headers, plain JSON as the body.</summary>
internal static class RabbitMqWireFormat
{
    // The AMQP binding of CloudEvents prefers the underscore, because JMS clients cannot read names with a colon, and demands that both are understood.
    private const string Prefix = "cloudEvents_";
    private const string OldPrefix = "cloudEvents:";

    // What the protocol calls a short string, and the message id is one.
    private const int MaxShortBytes = 255;

    // The last second of the year 9999.
    private const long MaxUnixSeconds = 253_402_300_799;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    /// <summary>Why RabbitMQ cannot carry an event as it is; null when it can.</summary>
    public static string? Problem(Envelope envelope)
    {
        if (!IsShort(envelope.EventId))
        {
            return $"The event's id has {Encoding.UTF8.GetByteCount(envelope.EventId)} bytes as UTF-8; RabbitMQ carries at most {MaxShortBytes}. Use a shorter one, or fewer characters beyond ASCII.";
        }

        if (!IsShort(envelope.ContentType))
        {
            return $"The event's content type is longer than the {MaxShortBytes} bytes that RabbitMQ carries.";
        }

        foreach (var name in envelope.Headers.Keys)
        {
            if (IsAttribute(name) || IsOfBroker(name) || name is "CC" or "BCC")
            {
                return $"The header name '{name}' means something to RabbitMQ, to CloudEvents or to the bus, so it cannot be a user's. Choose another name.";
            }
        }

        return null;
    }

    /// <summary>Made anew for every attempt: the client writes into it.</summary>
    public static BasicProperties Write(Envelope envelope, string serviceName)
    {
        var headers = new Dictionary<string, object?>
        {
            [Prefix + "specversion"] = "1.0",
            [Prefix + "id"] = envelope.EventId,
            [Prefix + "type"] = envelope.EventName,
            [Prefix + "source"] = envelope.Origin ?? serviceName,
            [Prefix + "time"] = envelope.Time.ToString("O", CultureInfo.InvariantCulture),
        };
        Add("partitionkey", envelope.Key);
        Add("eventversion", envelope.EventVersion == 1 ? null : envelope.EventVersion.ToString(CultureInfo.InvariantCulture));
        Add("correlationid", envelope.CorrelationId == envelope.EventId ? null : envelope.CorrelationId);
        Add("causationid", envelope.CausationId);
        Add("derivedid", envelope.IdIsDerived ? "true" : null);
        Add("traceparent", envelope.TraceParent);
        Add("tracestate", envelope.TraceState);
        foreach (var (name, value) in envelope.Headers)
        {
            headers[name] = value;
        }

        return new BasicProperties
        {
            Headers = headers,
            Persistent = true,

            // A longer one of another program's, of which a failure is kept: the header has it.
            MessageId = IsShort(envelope.EventId) ? envelope.EventId : null,
            ContentType = envelope.ContentType,
            Timestamp = new AmqpTimestamp(envelope.Time.ToUnixTimeSeconds()),
        };

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                headers[Prefix + name] = value;
            }
        }
    }

    /// <summary>The same without exceptions: whatever is wrong with a message is wrong each time that it comes.</summary>
    /// <param name="routingKey">The event's name where no header says otherwise.</param>
    /// <param name="properties">The message's properties.</param>
    /// <param name="body">The body; owned by the envelope from now on.</param>
    /// <param name="idWasMade">The publisher gave no id.</param>
    public static Envelope ReadAny(string routingKey, IReadOnlyBasicProperties properties, byte[] body, out bool idWasMade)
    {
        try
        {
            return Read(routingKey, properties, body, out idWasMade);
        }
        catch (Exception exception)
        {
            return Unreadable(routingKey, body, $"The message cannot be read ({exception.GetType().Name}).", out idWasMade);
        }
    }

    /// <summary>Reads whatever arrived. What cannot be read as an event has a defect, and keeps its bytes.</summary>
    /// <param name="routingKey">The event's name where no header says otherwise.</param>
    /// <param name="properties">The message's properties.</param>
    /// <param name="body">The body; owned by the envelope from now on.</param>
    /// <param name="idWasMade">The publisher gave no id.</param>
    public static Envelope Read(string routingKey, IReadOnlyBasicProperties properties, byte[] body, out bool idWasMade)
    {
        var attributes = RabbitMqAttributes.Read(properties, routingKey);
        var defect = attributes.Defect;
        if (!attributes.TryGetVersion(out var version))
        {
            (version, defect) = (1, defect ?? "The attribute 'eventversion' is no number above zero.");
        }

        if (!attributes.TryGetTime(properties, out var time))
        {
            (time, defect) = (DateTimeOffset.UnixEpoch, defect ?? "The attribute 'time' is no time.");
        }

        var contentType = properties.ContentType is { Length: > 0 } given ? given : "application/json";
        if (contentType.StartsWith("application/cloudevents", StringComparison.OrdinalIgnoreCase))
        {
            defect ??= "The message is in the structured mode of CloudEvents; only the binary mode with a plain body is read.";
        }
        else if (!IsPlain(properties.ContentEncoding))
        {
            defect ??= "The content encoding of the message is not UTF-8 as it is: a compressed body is not read.";
        }

        var id = attributes.Id is { Length: > 0 } own ? own : UsableOrNull(properties.MessageId);
        idWasMade = id is not { Length: > 0 };
        return new Envelope(
            new EnvelopeAttributes
            {
                Id = id is { Length: > 0 } ? id : Hash(body, properties.MessageId is { Length: > 0 } odd ? $"{routingKey}\0{odd}" : routingKey),
                Name = attributes.Type is { Length: > 0 } type ? type : routingKey,
                Version = version,
                Key = attributes.Key,
                Time = time,
                Headers = attributes.UserHeaders,
                CorrelationId = attributes.CorrelationId ?? UsableOrNull(properties.CorrelationId),
                CausationId = attributes.CausationId,
                IdIsDerived = attributes.IdIsDerived,
                TraceParent = attributes.TraceParent,
                TraceState = attributes.TraceState,
                Origin = attributes.Source,
                ContentType = contentType,
                Defect = defect,
            },
            body);
    }

    /// <summary>A message of which nothing but the body and the routing key is taken.</summary>
    public static Envelope Unreadable(string routingKey, byte[] body, string defect, out bool idWasMade)
    {
        idWasMade = true;
        return new Envelope(new EnvelopeAttributes { Id = Hash(body, routingKey), Name = routingKey, Defect = defect }, body);
    }

    /// <summary>The same message with a defect that was found when it first came.</summary>
    public static Envelope Spoil(Envelope envelope, string defect, long? fullBodyLength) => new(
        new EnvelopeAttributes
        {
            Id = envelope.EventId,
            Name = envelope.EventName,
            Version = envelope.EventVersion,
            Key = envelope.Key,
            Time = envelope.Time,
            Headers = envelope.Headers,
            CorrelationId = envelope.CorrelationId,
            CausationId = envelope.CausationId,
            IdIsDerived = envelope.IdIsDerived,
            TraceParent = envelope.TraceParent,
            TraceState = envelope.TraceState,
            Origin = envelope.Origin,
            ContentType = envelope.ContentType,
            FullBodyLength = fullBodyLength,
            Defect = defect,
        },
        envelope.Body.ToArray());

    /// <summary>How often a message was handed out before, as far as the queue knows.</summary>
    /// <remarks>From RabbitMQ 4.3 on the count leaves out what was given back; a redelivery is at least one. A count of every delivery, which 4.3 writes too, is the publisher's own on earlier versions.</remarks>
    /// <param name="properties">The message's properties.</param>
    /// <param name="redelivered">What the broker says. Without it the count is the publisher's own: a broker writes it from the second delivery on.</param>
    /// <param name="counts">The queue counts: a quorum queue. Any other leaves what the publisher wrote.</param>
    public static int EarlierDeliveries(IReadOnlyBasicProperties properties, bool redelivered, bool counts) =>
        !redelivered ? 0
        : counts && properties.Headers?.TryGetValue("x-delivery-count", out var count) == true ? (int)Math.Clamp(count as long? ?? count as int? ?? 1, 1, int.MaxValue)
        : 1;

    /// <summary>Whether a text can be a short string of the protocol. Three bytes are the most that one UTF-16 unit becomes.</summary>
    public static bool IsShort(string text) => text.Length <= MaxShortBytes / 3 || Encoding.UTF8.GetByteCount(text) <= MaxShortBytes;

    public static bool IsAttribute(string name) => name.StartsWith(Prefix, StringComparison.Ordinal) || name.StartsWith(OldPrefix, StringComparison.Ordinal);

    /// <summary>What follows the prefix in the header of an attribute.</summary>
    public static ReadOnlySpan<char> AttributeName(string header) => header.AsSpan(Prefix.Length);

    /// <summary>What the broker and its client write beside the user's headers. Not all of <c>x-</c>: users have names like <c>x-request-id</c>.</summary>
    public static bool IsOfBroker(string name) =>
        name is "x-delivery-count" or "x-acquired-count" or "x-death" or "traceparent" or "tracestate"
        || name.StartsWith(RabbitMqFailureFormat.Prefix, StringComparison.Ordinal)
        || name.StartsWith("x-first-death-", StringComparison.Ordinal) || name.StartsWith("x-last-death-", StringComparison.Ordinal) || name.StartsWith("x-dotnet-", StringComparison.Ordinal);

    /// <summary>The text of a header; null for what is none.</summary>
    public static string? Text(object? value)
    {
        try
        {
            return value switch
            {
                byte[] bytes => StrictUtf8.GetString(bytes),
                BinaryTableValue binary => StrictUtf8.GetString(binary.Bytes),
                AmqpTimestamp stamp => FromUnix(stamp.UnixTime).ToString("O", CultureInfo.InvariantCulture),
                bool flag => flag ? "true" : "false",
                IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
                _ => null,
            };
        }
        catch (DecoderFallbackException)
        {
            return null;
        }
    }

    /// <summary>A time of another client's: seconds, or milliseconds and less where it would be after the year 9999.</summary>
    public static DateTimeOffset FromUnix(long time)
    {
        var seconds = Math.Max(0, time);
        while (seconds > MaxUnixSeconds)
        {
            seconds /= 1_000;
        }

        return DateTimeOffset.FromUnixTimeSeconds(seconds);
    }

    /// <summary>Whether a content encoding says that the body is UTF-8 as it is. Clients write the character set there too, in any case, and several encodings in a list.</summary>
    private static bool IsPlain(string? encoding)
    {
        foreach (var part in encoding.AsSpan().Split(','))
        {
            var token = encoding.AsSpan()[part].Trim();
            var plain = token.IsEmpty;
            foreach (var known in (ReadOnlySpan<string>)["utf-8", "utf8", "us-ascii", "ascii", "identity", "none", "8bit", "7bit", "binary"])
            {
                plain |= token.Equals(known, StringComparison.OrdinalIgnoreCase);
            }

            if (!plain)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>A property of the protocol that other clients fill with what they like, the bytes of a GUID for instance: what is no text is not used.</summary>
    private static string? UsableOrNull(string? text)
    {
        foreach (var c in text.AsSpan())
        {
            if (char.IsControl(c) || c is '\u2028' or '\u2029' or (>= '\uFDD0' and <= '\uFDEF') or >= '\uFFFD')
            {
                return null;
            }
        }

        return text;
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
