using System.Text;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Creates a reduced form of an entry that a store cannot accept as it is: a dead letter with the identity of the
/// event, and with its body if that can be stored.
/// </summary>
internal static class ReducedEntry
{
    /// <summary>The number of forms: the entry as it is, and two reduced ones.</summary>
    public const int Forms = 3;

    private const int MaxContentType = 128;

    /// <summary>
    /// Returns a form of an entry: 0 is the entry itself; 1 is a dead letter without headers, history, error details,
    /// and the attributes about the trace and the origin of the event; 2 is the same without the body.
    /// </summary>
    public static FailedEvent Of(FailedEvent entry, int form, FailurePolicy policy, bool needsAlert) => form switch
    {
        0 => entry,
        1 => Make(entry, policy, BodyOf(entry.Envelope), "without its headers and the details of its failures", needsAlert),
        _ => Make(entry, policy, null, "without its body, its headers and the details of its failures", needsAlert),
    };

    /// <summary>Replaces unpaired surrogates, which some stores cannot write.</summary>
    public static string WellFormed(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    private static FailedEvent Make(FailedEvent entry, FailurePolicy policy, byte[]? body, string omission, bool needsAlert)
    {
        var envelope = entry.Envelope;
        var attributes = new EnvelopeAttributes
        {
            Id = envelope.Id,
            Name = envelope.Name,
            Version = envelope.Version,
            Key = envelope.Key,
            Time = envelope.Time,
            IdIsDerived = envelope.IdIsDerived,
            ContentType = envelope.ContentType is { Length: <= MaxContentType } type && Ascii.IsValid(type) ? type : JsonContent.MediaType,
            FullBodyLength = envelope.FullBodyLength,
            Replay = envelope.Replay,
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
            Error = PrintableText.Start(
                WellFormed($"The store could not keep the event as it is; it is kept {omission}. {entry.Error}".TrimEnd()),
                FailureClassifier.MaxErrorLength),
            ErrorDetails = null,
            History = [],
            NeedsAlert = needsAlert,
        };
    }

    private static byte[]? BodyOf(Envelope envelope)
    {
        try
        {
            return envelope.Body.ToArray();
        }
        catch (Exception)
        {
            // A getter or a converter of the application may throw any exception.
            return null;
        }
    }
}
