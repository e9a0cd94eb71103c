using System.Globalization;
using EventBus.Transports;

namespace EventBus.Architecture.Tests.Example;

/// <summary>
/// Converts an event to headers and a body: CloudEvents attributes in binary mode, and user headers with a prefix.
/// </summary>
internal static class ChannelWireFormat
{
    private const string Prefix = "ce-";
    private const string UserPrefix = "header-";

    public static ChannelMessage Write(Envelope envelope)
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        Add(CloudEventAttributes.SpecVersion, CloudEventAttributes.Version);
        Add(CloudEventAttributes.Id, envelope.Id);
        Add(CloudEventAttributes.Type, envelope.Name);
        Add(CloudEventAttributes.Source, envelope.Source ?? "/example");
        Add(CloudEventAttributes.Time, envelope.Time.ToString("O", CultureInfo.InvariantCulture));
        Add(CloudEventAttributes.DataContentType, envelope.ContentType);
        Add(CloudEventAttributes.EventVersion, envelope.Version.ToString(CultureInfo.InvariantCulture));
        Add(CloudEventAttributes.PartitionKey, envelope.Key);
        Add(CloudEventAttributes.CorrelationId, envelope.CorrelationId);
        Add(CloudEventAttributes.CausationId, envelope.CausationId);
        Add(CloudEventAttributes.DerivedId, envelope.IdIsDerived ? "true" : null);
        Add(CloudEventAttributes.TraceParent, envelope.TraceParent);
        Add(CloudEventAttributes.TraceState, envelope.TraceState);
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

    /// <summary>
    /// Never throws: an unreadable message becomes an envelope with a defect, which the bus stores as a dead letter.
    /// </summary>
    public static Envelope Read(ChannelMessage message)
    {
        var time = DateTimeOffset.UnixEpoch;
        var version = 1;
        var defect = Get(CloudEventAttributes.Type) is null ? "The message names no event: the header ce-type is missing." : null;
        if (Get(CloudEventAttributes.Time) is { } timeText
            && !DateTimeOffset.TryParse(timeText, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time))
        {
            defect ??= "The header ce-time is not a time.";
        }

        if (Get(CloudEventAttributes.EventVersion) is { } versionText
            && !int.TryParse(versionText, NumberStyles.None, CultureInfo.InvariantCulture, out version))
        {
            defect ??= "The header ce-eventversion is not a number.";
        }

        var attributes = new EnvelopeAttributes
        {
            Id = Get(CloudEventAttributes.Id) ?? CloudEventAttributes.IdFromContent(Get(CloudEventAttributes.Type) ?? "", message.Body),
            Name = Get(CloudEventAttributes.Type) ?? "message.unreadable",
            Version = Math.Max(version, 1),
            Key = Get(CloudEventAttributes.PartitionKey),
            Time = time,
            Headers = message.Headers.Where(header => header.Key.StartsWith(UserPrefix, StringComparison.Ordinal))
                .ToDictionary(header => header.Key[UserPrefix.Length..], header => header.Value),
            CorrelationId = Get(CloudEventAttributes.CorrelationId),
            CausationId = Get(CloudEventAttributes.CausationId),
            IdIsDerived = Get(CloudEventAttributes.DerivedId) == "true",
            TraceParent = Get(CloudEventAttributes.TraceParent),
            TraceState = Get(CloudEventAttributes.TraceState),
            Source = Get(CloudEventAttributes.Source),
            ContentType = Get(CloudEventAttributes.DataContentType) ?? "application/json",
            Defect = defect,
        };
        return new Envelope(attributes, message.Body);

        string? Get(string name) => message.Headers.GetValueOrDefault(Prefix + name);
    }
}
