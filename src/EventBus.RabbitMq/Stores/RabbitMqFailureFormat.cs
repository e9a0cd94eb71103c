using System.Globalization;
using EventBus.Stores;
using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Converts failed events to and from messages: the event as it was published, with additional headers that begin with
/// <c>eventbus-</c> and describe the failure. Reading never throws.
/// </summary>
internal static class RabbitMqFailureFormat
{
    private const string Prefix = RabbitMqHeaderNames.Bus;
    private const string ErrorDetails = "error-details";
    private const string Error = Prefix + "error";

    // The room for the note about removed headers: its text, and a header name of which each byte may become a
    // character of three bytes.
    private const int MaxNoteBytes = 1_024;

    // The limit for a frame of 128 KB, the default. Larger headers would close the connection again at each attempt.
    private const int MaxHeaderBytes = 100_000;

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
        var room = Math.Min(MaxHeaderBytes, RabbitMqFrameLimit.RoomForHeaders(properties, maxFrame) - MaxNoteBytes);
        if (RemoveLargest(headers, room) is { } note)
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
        var death = BrokerDeath.Last(message.BasicProperties.Headers);

        // A message that the broker moved from a subscription's own queue may come from any publisher, which also wrote
        // its headers. In other queues the bus wrote the headers, and none of them is unreadable.
        var movedFrom = names.SubscriptionOf(death.Queue, subscriptions);
        var isOfBus = movedFrom is null && message.BasicProperties.Headers?.ContainsKey(RabbitMqHeaderNames.Unreadable) != true;
        var headers = new FailureHeaders(isOfBus ? message.BasicProperties.Headers : null);
        var envelope = RabbitMqWireFormat.ReadAny(
            death.RoutingKey.Length > 0 && movedFrom is not null ? death.RoutingKey : CloudEventAttributes.UnreadableType,
            message.BasicProperties,
            message.Body.ToArray(),
            out _);
        if (headers.Text("defect") is { } defect && envelope.Defect is null)
        {
            envelope = RabbitMqWireFormat.WithDefect(
                envelope,
                defect,
                headers.Text("body-length") is null ? null : headers.Number("body-length"));
        }

        // Messages that the bus itself puts into the dead-letter or alert queue have no x-death header.
        var isOfBroker = status == FailedEventStatus.Dead && death.Reason.Length > 0;
        return new FailedEvent
        {
            Subscription = movedFrom ?? headers.Text("subscription") ?? "",
            Envelope = envelope,
            Status = status,
            Attempts = headers.Count("starts"),
            ManualRetries = headers.Count("replays"),
            FirstFailedAt = headers.Time("first-failed"),
            LastFailedAt = headers.Time("last-failed"),
            Reason = isOfBroker ? ReasonOf(death) : ReasonOf(headers),
            Error = isOfBroker ? death.Text : headers.Text("error"),
            ErrorDetails = headers.Text(ErrorDetails),
            Number = headers.Number("number"),
            WasInterrupted = headers.Text("suspect") is not null,
            Concurrent = headers.Text("accompanied") is null ? 0 : 1,
        };
    }

    private static DeadLetterReason ReasonOf(BrokerDeath death) =>
        death.IsOfLimit ? DeadLetterReason.ProcessEnded : DeadLetterReason.DroppedByBroker;

    private static DeadLetterReason ReasonOf(FailureHeaders headers)
    {
        var isKnown = Enum.TryParse<DeadLetterReason>(headers.Text("reason"), out var reason) && Enum.IsDefined(reason);
        return isKnown ? reason : DeadLetterReason.HandlerFailed;
    }

    /// <summary>
    /// Removes headers until the rest fits: first user headers and error details, beginning with the largest, then
    /// attributes, then the error, and last the type and the id. An event of this library has at most 16,384 characters
    /// of headers.
    /// </summary>
    private static string? RemoveLargest(IDictionary<string, object?> headers, int room)
    {
        var excess = headers.Sum(RabbitMqFrameLimit.SizeOf) - room;
        if (excess <= 0)
        {
            return null;
        }

        var (bytes, removed) = (0, new List<KeyValuePair<string, object?>>());
        foreach (var header in headers.Where(header => RankOf(header.Key) < int.MaxValue)
            .OrderBy(header => RankOf(header.Key))
            .ThenByDescending(RabbitMqFrameLimit.SizeOf)
            .TakeWhile(_ => bytes < excess))
        {
            headers.Remove(header.Key);
            bytes += RabbitMqFrameLimit.SizeOf(header);
            removed.Add(header);
        }

        return $"(The event has more headers than RabbitMQ carries in addition to the description of the failure: {removed.Count} were "
            + $"left out, {bytes:N0} bytes, the largest is '{removed.MaxBy(RabbitMqFrameLimit.SizeOf).Key}'.)";
    }

    // The order in which headers are removed. The headers with the counts and the subscription are never removed,
    // because the message would be useless without them.
    private static int RankOf(string header) => header switch
    {
        Prefix + ErrorDetails => 0,
        Error or Prefix + "defect" => 2,
        _ when header.StartsWith(Prefix, StringComparison.Ordinal) => int.MaxValue,
        _ when !RabbitMqHeaderNames.IsAttribute(header) => 0,
        _ => RabbitMqHeaderNames.AttributeName(header) is CloudEventAttributes.Type or CloudEventAttributes.Id ? 3 : 1,
    };

    private static string Text(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);
}
