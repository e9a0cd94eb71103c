using System.Globalization;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>An event as headers and a body: CloudEvents attributes in binary mode, user headers behind a prefix of their own.</summary>
internal static class ChannelWireFormat
{
    private const string Prefix = "ce-";
    private const string UserPrefix = "header-";

    public static ChannelMessage Write(Envelope envelope)
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        Add("specversion", "1.0");
        Add("id", envelope.Id);
        Add("type", envelope.Name);
        Add("source", envelope.Source ?? "/example");
        Add("time", envelope.Time.ToString("O", CultureInfo.InvariantCulture));
        Add("datacontenttype", envelope.ContentType);
        Add("eventversion", envelope.Version.ToString(CultureInfo.InvariantCulture));
        Add("partitionkey", envelope.Key);
        Add("correlationid", envelope.CorrelationId);
        Add("causationid", envelope.CausationId);
        Add("derivedid", envelope.IdIsDerived ? "true" : null);
        Add("traceparent", envelope.TraceParent);
        Add("tracestate", envelope.TraceState);
        foreach (var (name, value) in envelope.Headers)
        {
            headers[UserPrefix + name] = value;
        }

        return new ChannelMessage(headers, envelope.Body.ToArray());

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                headers[Prefix + name] = value;
            }
        }
    }

    /// <summary>Never throws: what cannot be read becomes an envelope with a defect, which the bus keeps as a dead letter.</summary>
    public static Envelope Read(ChannelMessage message)
    {
        var time = DateTimeOffset.UnixEpoch;
        var version = 1;
        var defect = Get("type") is null ? "The message names no event: the header ce-type is missing." : null;
        if (Get("time") is { } timeText && !DateTimeOffset.TryParse(timeText, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time))
        {
            defect ??= "The header ce-time is no time.";
        }

        if (Get("eventversion") is { } versionText && !int.TryParse(versionText, NumberStyles.None, CultureInfo.InvariantCulture, out version))
        {
            defect ??= "The header ce-eventversion is no number.";
        }

        var attributes = new EnvelopeAttributes
        {
            Id = Get("id") ?? Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(message.Body)),
            Name = Get("type") ?? "message.unreadable",
            Version = Math.Max(version, 1),
            Key = Get("partitionkey"),
            Time = time,
            Headers = message.Headers.Where(header => header.Key.StartsWith(UserPrefix, StringComparison.Ordinal)).ToDictionary(header => header.Key[UserPrefix.Length..], header => header.Value),
            CorrelationId = Get("correlationid"),
            CausationId = Get("causationid"),
            IdIsDerived = Get("derivedid") == "true",
            TraceParent = Get("traceparent"),
            TraceState = Get("tracestate"),
            Source = Get("source"),
            ContentType = Get("datacontenttype") ?? "application/json",
            Defect = defect,
        };
        return new Envelope(attributes, message.Body);

        string? Get(string name) => message.Headers.GetValueOrDefault(Prefix + name);
    }
}
