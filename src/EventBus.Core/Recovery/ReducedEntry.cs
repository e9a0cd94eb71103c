using System.Text;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>What is kept of an entry that a store cannot take as it is: a dead letter with what identifies the event, and its body if that can be kept.</summary>
internal static class ReducedEntry
{
    private const int MaxContentType = 128;

    /// <summary>Without headers, attributes of no importance, history and details.</summary>
    public static FailedEvent WithBody(FailedEvent entry, FailurePolicy policy, bool needsAlert) =>
        Make(entry, policy, BodyOf(entry.Envelope), "without its headers and the details of its failures", needsAlert);

    /// <summary>Without the body too.</summary>
    public static FailedEvent WithoutBody(FailedEvent entry, FailurePolicy policy, bool needsAlert) =>
        Make(entry, policy, null, "without its body, its headers and the details of its failures", needsAlert);

    /// <summary>The text without halves of surrogate pairs, which not every store can write.</summary>
    public static string WellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static FailedEvent Make(FailedEvent entry, FailurePolicy policy, byte[]? body, string left, bool needsAlert)
    {
        var envelope = entry.Envelope;
        var attributes = new EnvelopeAttributes
        {
            Id = envelope.Id,
            Name = envelope.Name,
            Version = envelope.Version,
            Key = envelope.KeyText,
            Time = envelope.PublishedAt,
            IdIsDerived = envelope.IdIsDerived,
            ContentType = envelope.ContentType is { Length: <= MaxContentType } type && Ascii.IsValid(type) ? type : Envelope.JsonContentType,
            FullBodyLength = envelope.FullBodyLength,
            Defect = envelope.Defect ?? (body is null ? "The store could not keep its body." : null),
        };
        return entry with
        {
            Envelope = new Envelope(attributes, body ?? []) { FromHandler = envelope.FromHandler },
            Status = FailedEventStatus.Dead,
            Reason = DeadLetterReason.Unstorable,
            DueAt = default,
            Deadline = null,
            LineKey = policy.ContinueWhenBlocked ? null : entry.LineKey,
            Error = PrintableText.Start(WellFormed($"The store could not keep the event as it is; it is kept {left}. {entry.Error}".TrimEnd()), FailureRecorder.MaxErrorLength),
            ErrorDetails = null,
            History = [],
            NeedsAlert = needsAlert,
        };
    }

    private static byte[]? BodyOf(Envelope envelope)
    {
        try
        {
            return envelope.GetBody().ToArray();
        }
        catch (Exception)
        {
            // Whatever a getter or a converter of the application throws.
            return null;
        }
    }
}
