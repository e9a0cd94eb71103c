using System.Globalization;
using System.Text;
using EventBus.Stores;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Converts failed events to and from messages: the event as it was published, with additional headers that begin with
/// <c>eventbus-</c> and describe the failure. Reading never throws.
/// </summary>
internal static class RabbitMqFailureFormat
{
    public const string Prefix = "eventbus-";

    private const string ErrorDetails = "error-details";
    private const string Error = Prefix + "error";

    // The room for the note about removed headers: its text, and a header name of which each byte may become a
    // character of three bytes.
    private const int MaxNoteBytes = 1_024;

    // The limit for a frame of 128 KB, the default. Larger headers would close the connection again at each attempt.
    private const int MaxHeaderBytes = 100_000;

    /// <summary>
    /// The event name that is used if neither the headers nor the broker's x-death entry contain a reliable one.
    /// </summary>
    private const string Nameless = "event.unreadable";

    /// <summary>Creates the properties of a message for a failed event.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="serviceName">The name of the application.</param>
    /// <param name="maxFrame">
    /// The largest frame size of the connection in bytes; 0 for no limit. Headers that do not fit are removed.
    /// </param>
    public static BasicProperties Write(FailedEvent entry, string serviceName, uint maxFrame)
    {
        var properties = RabbitMqWireFormat.Write(entry.Envelope, serviceName);
        if (!RabbitMqWireFormat.IsShort(entry.Envelope.ContentType))
        {
            // The original bytes were not UTF-8, and the replacement characters take more bytes.
            properties.ContentType = null;
        }

        var headers = properties.Headers!;
        foreach (var name in headers.Keys.Where(name => !RabbitMqWireFormat.IsShort(name)).ToList())
        {
            headers.Remove(name);
        }

        headers[Prefix + "subscription"] = entry.Subscription;
        headers[Prefix + "starts"] = entry.Attempts;
        headers[Prefix + "replays"] = entry.ManualRetries;
        headers[Prefix + "first-failed"] = Text(entry.FirstFailedAt);
        headers[Prefix + "last-failed"] = Text(entry.LastFailedAt);
        if (entry.Status == FailedEventStatus.Dead || entry.ManualRetries > 0)
        {
            headers[Prefix + "reason"] = entry.Reason.ToString();
        }

        Add("number", entry.Number == 0 ? null : entry.Number.ToString(CultureInfo.InvariantCulture));
        Add("suspect", entry.WasInterrupted ? "true" : null);
        Add("accompanied", entry.WasInterrupted && entry.Concurrent > 0 ? "true" : null);
        Add("error", entry.Error);
        Add(ErrorDetails, entry.ErrorDetails);
        Add("defect", entry.Envelope.Defect);
        Add("body-length", entry.Envelope.FullBodyLength?.ToString(CultureInfo.InvariantCulture));
        if (LeaveOut(headers, Math.Min(MaxHeaderBytes, RabbitMqFrameLimit.RoomForHeaders(properties, maxFrame) - MaxNoteBytes)) is { } note)
        {
            headers[Error] = $"{(headers.TryGetValue(Error, out var error) ? error : null)} {note}".TrimStart();
        }

        return properties;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                headers[Prefix + name] = value;
            }
        }
    }

    /// <summary>Reads a failed event from a message.</summary>
    /// <param name="message">The message, from a retry queue, the dead letters or the alerts.</param>
    /// <param name="names">The names of the application's queues.</param>
    /// <param name="subscriptions">The application's subscriptions.</param>
    /// <param name="status">The status of the entries in that queue.</param>
    public static FailedEvent Read(
        BasicGetResult message,
        RabbitMqTopology names,
        IEnumerable<string> subscriptions,
        FailedEventStatus status)
    {
        var death = LastDeath(message.BasicProperties.Headers);

        // A message that the broker moved from a subscription's own queue may come from any publisher, which also wrote
        // its headers. In other queues the bus wrote the headers, and none of them is unreadable.
        var givenUp = names.SubscriptionOf(death.Queue, subscriptions);
        var headers = givenUp is null && message.BasicProperties.Headers?.ContainsKey(RabbitMqHeaderCheck.Marker) != true
            ? message.BasicProperties.Headers
            : null;
        var envelope = RabbitMqWireFormat.ReadAny(
            death.RoutingKey.Length > 0 && givenUp is not null ? death.RoutingKey : Nameless,
            message.BasicProperties,
            message.Body.ToArray(),
            out _);
        if (Text("defect") is { } defect && envelope.Defect is null)
        {
            envelope = RabbitMqWireFormat.Spoil(envelope, defect, Text("body-length") is null ? null : Number("body-length"));
        }

        // Messages that the bus itself puts into the dead-letter or alert queue have no x-death header.
        var givesUp = status == FailedEventStatus.Dead && death.Reason.Length > 0;
        return new FailedEvent
        {
            Subscription = givenUp ?? Text("subscription") ?? "",
            Envelope = envelope,
            Status = status,
            Attempts = (int)Math.Min(int.MaxValue, Number("starts")),
            ManualRetries = (int)Math.Min(int.MaxValue, Number("replays")),
            FirstFailedAt = Time("first-failed"),
            LastFailedAt = Time("last-failed"),
            Reason = givesUp ? death.IsOfLimit ? DeadLetterReason.ProcessEnded : DeadLetterReason.DroppedByBroker
                : Enum.TryParse<DeadLetterReason>(Text("reason"), out var reason) && Enum.IsDefined(reason) ? reason
                : DeadLetterReason.HandlerFailed,
            Error = givesUp ? death.Text : Text("error"),
            ErrorDetails = Text(ErrorDetails),
            Number = Number("number"),
            WasInterrupted = Text("suspect") is not null,
            Concurrent = Text("accompanied") is null ? 0 : 1,
        };

        string? Text(string name) =>
            headers?.TryGetValue(Prefix + name, out var value) == true && value is byte[] text ? Encoding.UTF8.GetString(text) : null;

        long Number(string name) => headers?.TryGetValue(Prefix + name, out var value) == true
            ? value switch
            {
                int number => Math.Max(0, number),
                long number => Math.Max(0, number),
                byte[] text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0,
                _ => 0,
            }
            : 0;

        DateTimeOffset Time(string name) => DateTimeOffset.TryParse(
            Text(name),
            CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal,
            out var time) ? time : default;
    }

    /// <summary>
    /// Removes headers until the rest fits: first user headers and error details, beginning with the largest, then
    /// attributes, then the error, and last the type and the id. An event of this library has at most 16,384 characters
    /// of headers.
    /// </summary>
    private static string? LeaveOut(IDictionary<string, object?> headers, int room)
    {
        var excess = headers.Sum(RabbitMqFrameLimit.SizeOf) - room;
        if (excess <= 0)
        {
            return null;
        }

        var (bytes, leftOut) = (0, new List<KeyValuePair<string, object?>>());
        foreach (var header in headers.Where(header => RankOf(header.Key) < int.MaxValue)
            .OrderBy(header => RankOf(header.Key))
            .ThenByDescending(RabbitMqFrameLimit.SizeOf)
            .TakeWhile(_ => bytes < excess))
        {
            headers.Remove(header.Key);
            bytes += RabbitMqFrameLimit.SizeOf(header);
            leftOut.Add(header);
        }

        return $"(The event has more headers than RabbitMQ carries in addition to the description of the failure: {leftOut.Count} were "
            + $"left out, {bytes:N0} bytes, the largest is '{leftOut.MaxBy(RabbitMqFrameLimit.SizeOf).Key}'.)";
    }

    // The order in which headers are removed. The headers with the counts and the subscription are never removed,
    // because the message would be useless without them.
    private static int RankOf(string header) => header switch
    {
        Prefix + ErrorDetails => 0,
        Error or Prefix + "defect" => 2,
        _ when header.StartsWith(Prefix, StringComparison.Ordinal) => int.MaxValue,
        _ => !RabbitMqWireFormat.IsAttribute(header) ? 0 : RabbitMqWireFormat.AttributeName(header) is "type" or "id" ? 3 : 1,
    };

    private static string Text(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);

    /// <summary>
    /// Gets the queue from which the broker last moved a message, and the reason. The newest entry of x-death comes
    /// first and is the broker's own; a publisher can only have written later ones.
    /// </summary>
    private static Death LastDeath(IDictionary<string, object?>? headers)
    {
        return headers?.TryGetValue("x-death", out var value) == true
            && value is IList<object?> { Count: > 0 } deaths
            && deaths[0] is IDictionary<string, object?> death
            ? new Death(
                Text(death.TryGetValue("queue", out var queue) ? queue : null),
                Text(death.TryGetValue("reason", out var reason) ? reason : null),
                Text(death.TryGetValue("routing-keys", out var keys) && keys is IList<object?> { Count: > 0 } all ? all[0] : null))
            : new Death("", "", "");

        static string Text(object? value) => value is byte[] text ? Encoding.UTF8.GetString(text) : "";
    }

    private readonly record struct Death(string Queue, string Reason, string RoutingKey)
    {
        public bool IsOfLimit => Reason == "delivery_limit";

        public string Text => $"RabbitMQ itself dead-lettered the event in the queue '{Queue}' ({Reason}): " + Reason switch
        {
            "delivery_limit" => "it was delivered and not acknowledged more often than the delivery limit allows.",
            "expired" => "it waited for longer than its time to live.",
            "maxlen" => "the queue was longer than its limit.",
            "rejected" => "a consumer rejected it.",
            _ => "this reason is not known to the bus.",
        };
    }
}
