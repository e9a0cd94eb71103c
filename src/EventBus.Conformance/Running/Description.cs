using System.Globalization;
using System.Security.Cryptography;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Converts events, entries and sagas to texts, which the scenarios compare.</summary>
internal static class Description
{
    /// <summary>Converts all attributes of an event to text.</summary>
    public static string Of(Envelope? e) => e is null ? "nothing" : string.Join(
        " | ",
        [
            e.Id,
            e.Name,
            $"{e.Version}",
            e.Key ?? "no key",
            e.Time.ToString("O", CultureInfo.InvariantCulture),
            e.CorrelationId,
            e.CausationId ?? "no cause",
            e.IdIsDerived ? "derived id" : "own id",
            e.TraceParent ?? "no trace parent",
            e.TraceState ?? "no trace state",
            e.Source ?? "no source",
            e.ContentType,
            e.Defect ?? "no defect",
            string.Join(
                ", ",
                e.Headers.OrderBy(header => header.Key, StringComparer.Ordinal).Select(header => $"{header.Key}={header.Value}")),
            $"{e.Body.Length} bytes",
            Convert.ToHexString(SHA256.HashData(e.Body.Span)),
        ]);

    /// <summary>
    /// Converts all values that the bus sets on an entry to text. Values that the store adds are not included.
    /// </summary>
    public static string Of(FailedEvent? e) => e is null ? "nothing" : string.Join(
        " | ",
        [
            e.Subscription,
            $"{e.Status}",
            e.LineKey ?? "no line key",
            e.OrderKey ?? "no order key",
            $"position {e.Position}",
            $"attempts {e.Attempts}",
            $"manual retries {e.ManualRetries}",
            Time(e.DueAt),
            Time(e.Deadline),
            Time(e.FirstFailedAt),
            Time(e.LastFailedAt),
            $"{e.Reason}",
            e.Error ?? "no error",
            e.ErrorType ?? "no error type",
            e.ErrorDetails ?? "no details",
            string.Join(", ", e.History.Select(attempt => $"{attempt.Attempt} {Time(attempt.At)} {attempt.Error}")),
            $"alert {e.NeedsAlert}",
            Of(e.Envelope),
        ]);

    /// <summary>
    /// Converts all values that the bus sets on a saga to text. Values that the store adds are not included.
    /// </summary>
    public static string Of(SagaEntry? e) => e is null ? "nothing" : string.Join(
        " | ",
        [
            e.Id,
            e.Saga,
            $"{e.Status}",
            $"claim {e.Claim}",
            $"due {Time(e.DueAt)}",
            $"alert {Time(e.AlertAt)}",
            e.WaitKey is null ? "waits for nothing" : $"waits for '{e.WaitKey}'",
            Time(e.StartedAt),
            Time(e.ChangedAt),
            $"kept until {Time(e.KeepUntil)}",
            e.Defect ?? "no defect",
            $"{e.Content.Length} bytes",
            Convert.ToHexString(SHA256.HashData(e.Content.Span)),
        ]);

    private static string Time(DateTimeOffset? time) => time?.UtcDateTime.ToString("O", CultureInfo.InvariantCulture) ?? "never";
}
