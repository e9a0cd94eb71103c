using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using EventBus.Stores;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Provides sample events, entries and sagas for the stores, and texts to compare them.</summary>
internal static class Sample
{
    public const string Subscription = "mail";

    /// <summary>2^53: a store that converts it and the next number to floating point cannot distinguish them.</summary>
    public const long Huge = 9_007_199_254_740_992;

    /// <summary>
    /// Unusual keys that occur in practice, and keys that contain the separators and placeholders of a store.
    /// </summary>
    public static IReadOnlyList<string> UnusualKeys { get; } =
        [
            "a",
            "A",
            "a ",
            "a:b",
            "{a}",
            "~",
            "a~b",
            "*",
            "a%",
            "a_",
            "a'b",
            "a\"b",
            "a\\b",
            "a\nb",
            "ä",
            "a\u0308",
            "日本",
            "😀",
            "0",
            "00",
            "null",
            "a,b",
            "[a]",
            new string('k', 256)
        ];

    /// <summary>Events with every attribute, with values at their limits and with unusual values.</summary>
    public static IReadOnlyList<Envelope> Envelopes { get; } =
    [
        Event("plain"),
        new(new EnvelopeAttributes { Id = "empty", Name = "order.placed" }, []),
        new(
            new EnvelopeAttributes
            {
                Id = "full",
                Name = "order-line.shipped.again",
                Version = 7,
                Key = "customer-1",
                Time = new DateTimeOffset(2026, 2, 3, 4, 5, 6, TimeSpan.Zero).AddTicks(1_234_567),
                CorrelationId = "correlation",
                CausationId = "causation",
                IdIsDerived = true,
                TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                TraceState = "a=1,b=2",
                Source = "/services/shop",
                Headers = new Dictionary<string, string> { ["tenant"] = "blue", ["größe"] = "\"ß\" 😀 \\ \n", ["empty"] = "" },
            },
            """{"name":"Grüße 😀"}"""u8.ToArray()),
        new(new EnvelopeAttributes
        {
            Id = "unreadable",
            Name = "order.placed",
            ContentType = "application/octet-stream",
            Defect = "It is no JSON: \"\u0001\" 😀"
        }, [0, 255, 13, 10, 34, 128]),
        new(
            new EnvelopeAttributes { Id = "large", Name = "order.placed", Key = "k" },
            [.. Enumerable.Range(0, 200 * 1024).Select(i => (byte)(i * 31))]),
        new(new EnvelopeAttributes { Id = new string('i', 128), Name = "order.placed" }, "1"u8.ToArray()),
        .. UnusualKeys.Select((key, i) => new Envelope(
            new EnvelopeAttributes { Id = $"odd-{i} ~{{}}:%/'\"ü😀", Name = "order.placed", Key = key },
            "1"u8.ToArray())),
    ];

    public static Envelope Event(string id, string name = "order.placed") =>
        new(new EnvelopeAttributes { Id = id, Name = name }, Encoding.UTF8.GetBytes($"\"{id}\""));

    /// <summary>Creates an entry that failed once and waits for its retry.</summary>
    /// <param name="run">The run.</param>
    /// <param name="id">The event id.</param>
    /// <param name="due">The due time, in seconds from the start of the run.</param>
    /// <param name="line">The key of its line; null for no line.</param>
    public static FailedEvent Waiting(this StoreRun run, string id, double due = 0, string? line = null) => new()
    {
        Subscription = Subscription,
        Envelope = Event(id),
        Status = FailedEventStatus.Waiting,
        LineKey = line,
        Attempts = 1,
        DueAt = run.In(due),
        FirstFailedAt = run.Now,
        LastFailedAt = run.Now,
        Error = "It failed.",
    };

    /// <summary>Creates an entry that waits behind another one of its line.</summary>
    public static FailedEvent Parked(this StoreRun run, string id, string line) =>
        run.Waiting(id, line: line) with { Status = FailedEventStatus.Parked, Attempts = 0, DueAt = default };

    /// <summary>Creates a dead letter after four attempts.</summary>
    public static FailedEvent Dead(
        this StoreRun run,
        string id,
        string? line = null,
        DeadLetterReason reason = DeadLetterReason.HandlerFailed) =>
        run.Waiting(id, line: line) with { Status = FailedEventStatus.Dead, Reason = reason, Attempts = 4, DueAt = default };

    /// <summary>Creates an entry that an order guard defers.</summary>
    /// <param name="run">The run.</param>
    /// <param name="id">The event id.</param>
    /// <param name="key">The order key.</param>
    /// <param name="position">The number of the event; null for none.</param>
    /// <param name="due">The due time, in seconds from the start of the run.</param>
    public static FailedEvent Deferred(this StoreRun run, string id, string key, long? position = null, double due = 600) =>
        run.Waiting(id, due) with
        {
            Status = FailedEventStatus.Deferred,
            Attempts = 0,
            OrderKey = key,
            Position = position,
            Deadline = run.In(3600),
        };

    /// <summary>Creates a saga that was not stored yet.</summary>
    /// <param name="run">The run.</param>
    /// <param name="id">The id of the saga.</param>
    /// <param name="due">The due time, in seconds from the start of the run; null if it is never due.</param>
    /// <param name="saga">The name of the saga.</param>
    /// <param name="status">The status.</param>
    public static SagaEntry Saga(
        this StoreRun run,
        string id,
        double? due = null,
        string saga = "trip",
        SagaStatus status = SagaStatus.Running) => new()
        {
            Id = id,
            Saga = saga,
            Status = status,
            Claim = 1,
            DueAt = run.In(due),
            StartedAt = run.Now,
            ChangedAt = run.Now,
            Content = Encoding.UTF8.GetBytes($"\"{id}\""),
        };

    /// <summary>Converts all attributes of an event to text.</summary>
    public static string Describe(Envelope? e) => e is null ? "nothing" : string.Join(
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
    public static string Describe(FailedEvent? e) => e is null ? "nothing" : string.Join(
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
            e.ErrorDetails ?? "no details",
            string.Join(", ", e.History.Select(attempt => $"{attempt.Attempt} {Time(attempt.At)} {attempt.Error}")),
            $"alert {e.NeedsAlert}",
            Describe(e.Envelope),
        ]);

    /// <summary>
    /// Converts all values that the bus sets on a saga to text. Values that the store adds are not included.
    /// </summary>
    public static string Describe(SagaEntry? e) => e is null ? "nothing" : string.Join(
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
