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
    private const string Prefix = RabbitMqHeaderNames.BusPrefix;

    // The headers of a failed event, after the prefix. The names are kept, because messages in queues have them.
    private const string Subscription = "subscription";
    private const string Attempts = "starts";
    private const string ManualRetries = "replays";
    private const string FirstFailedAt = "first-failed";
    private const string LastFailedAt = "last-failed";
    private const string Reason = "reason";
    private const string Number = "number";
    private const string WasInterrupted = "suspect";

    // Present if FailedEvent.Concurrent is above zero; its value is not kept.
    private const string IsConcurrent = "accompanied";
    private const string Error = "error";
    private const string ErrorDetails = "error-details";
    private const string Defect = "defect";
    private const string FullBodyLength = "body-length";

    private const int NeverRemoved = int.MaxValue;

    // The room for the note about removed headers: its text, and a header name of which each byte may become a
    // character of three bytes.
    private const int MaxNoteBytes = 1_024;

    // Fits into a frame of 128 KB, the default. Larger headers would close the connection at each attempt to send or
    // deliver the message.
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
        if (!AmqpShortString.Fits(entry.Envelope.ContentType))
        {
            // The original bytes were not UTF-8, and the replacement characters take more bytes.
            properties.ContentType = null;
        }

        var headers = properties.Headers!;

        // The name of a header is an AMQP short string, too.
        foreach (var name in headers.Keys.Where(name => !AmqpShortString.Fits(name)).ToList())
        {
            headers.Remove(name);
        }

        headers[Prefix + Subscription] = entry.Subscription;
        headers[Prefix + Attempts] = entry.Attempts;
        headers[Prefix + ManualRetries] = entry.ManualRetries;
        headers[Prefix + FirstFailedAt] = ToText(entry.FirstFailedAt);
        headers[Prefix + LastFailedAt] = ToText(entry.LastFailedAt);

        // In other cases the reason is not valid.
        if (entry.Status == FailedEventStatus.Dead || entry.ManualRetries > 0)
        {
            headers[Prefix + Reason] = entry.Reason.ToString();
        }

        Add(Number, entry.Number == 0 ? null : entry.Number.ToString(CultureInfo.InvariantCulture));
        Add(WasInterrupted, entry.WasInterrupted ? "true" : null);
        Add(IsConcurrent, entry.WasInterrupted && entry.Concurrent > 0 ? "true" : null);
        Add(Error, entry.Error);
        Add(ErrorDetails, entry.ErrorDetails);
        Add(Defect, entry.Envelope.Defect);
        Add(FullBodyLength, entry.Envelope.FullBodyLength?.ToString(CultureInfo.InvariantCulture));
        var room = Math.Min(MaxHeaderBytes, RabbitMqFrameLimit.RoomForHeaders(properties, maxFrame) - MaxNoteBytes);
        var note = RemoveExcess(headers, room);
        if (note is not null)
        {
            var error = headers.TryGetValue(Prefix + Error, out var kept) ? kept : null;
            headers[Prefix + Error] = $"{error} {note}".TrimStart();
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
    /// <param name="topology">The names of the application's queues.</param>
    /// <param name="subscriptions">The application's subscriptions.</param>
    /// <param name="status">The status of the entries in that queue.</param>
    public static FailedEvent Read(
        BasicGetResult message,
        RabbitMqTopology topology,
        IEnumerable<string> subscriptions,
        FailedEventStatus status)
    {
        var death = BrokerDeath.Last(message.BasicProperties.Headers);

        // A message that the broker moved from a subscription's own queue may come from any publisher, which also wrote
        // its headers. In other queues the bus wrote the headers, and none of them is unreadable.
        var movedFrom = topology.SubscriptionOf(death.Queue, subscriptions);
        var isOfBus = movedFrom is null && message.BasicProperties.Headers?.ContainsKey(RabbitMqHeaderNames.Unreadable) != true;
        var headers = new FailureHeaders(isOfBus ? message.BasicProperties.Headers : null);

        // The name if the message contains none. In other queues the routing key is the name of the queue.
        var eventName = movedFrom is not null && death.RoutingKey.Length > 0 ? death.RoutingKey : CloudEventAttributes.UnreadableType;
        var envelope = RabbitMqWireFormat.ReadAny(
            eventName,
            message.BasicProperties,
            message.Body.ToArray(),
            out _);
        var defect = headers.Text(Defect);
        if (defect is not null && envelope.Defect is null)
        {
            long? fullBodyLength = headers.Text(FullBodyLength) is null ? null : headers.Number(FullBodyLength);
            envelope = RabbitMqDefect.AddTo(envelope, defect, fullBodyLength);
        }

        // Messages that the bus itself puts into the dead-letter or alert queue have no x-death header.
        var isOfBroker = status == FailedEventStatus.Dead && death.Reason.Length > 0;
        return new FailedEvent
        {
            Subscription = movedFrom ?? headers.Text(Subscription) ?? "",
            Envelope = envelope,
            Status = status,
            Attempts = headers.Count(Attempts),
            ManualRetries = headers.Count(ManualRetries),
            FirstFailedAt = headers.Time(FirstFailedAt),
            LastFailedAt = headers.Time(LastFailedAt),
            Reason = isOfBroker ? ReasonOf(death) : ReasonOf(headers),
            Error = isOfBroker ? death.Text : headers.Text(Error),
            ErrorDetails = headers.Text(ErrorDetails),
            Number = headers.Number(Number),
            WasInterrupted = headers.Text(WasInterrupted) is not null,
            Concurrent = headers.Text(IsConcurrent) is null ? 0 : 1,
        };
    }

    private static DeadLetterReason ReasonOf(BrokerDeath death) =>
        death.ExceedsDeliveryLimit ? DeadLetterReason.ProcessEnded : DeadLetterReason.DroppedByBroker;

    private static DeadLetterReason ReasonOf(FailureHeaders headers)
    {
        var isKnown = Enum.TryParse<DeadLetterReason>(headers.Text(Reason), out var reason) && Enum.IsDefined(reason);
        return isKnown ? reason : DeadLetterReason.HandlerFailed;
    }

    /// <summary>
    /// Removes headers until the rest fits, in the order of <see cref="RemovalRank"/>, the largest first within a rank.
    /// An event of this library has at most 16,384 characters of headers.
    /// </summary>
    /// <returns>A note for operators about the removed headers; null if all headers fit.</returns>
    private static string? RemoveExcess(IDictionary<string, object?> headers, int room)
    {
        var excess = headers.Sum(RabbitMqFrameLimit.SizeOf) - room;
        if (excess <= 0)
        {
            return null;
        }

        var candidates = headers.Where(header => RemovalRank(header.Key) != NeverRemoved)
            .OrderBy(header => RemovalRank(header.Key))
            .ThenByDescending(RabbitMqFrameLimit.SizeOf)
            .ToList();
        var removedBytes = 0;
        var removed = new List<KeyValuePair<string, object?>>();
        foreach (var header in candidates)
        {
            if (removedBytes >= excess)
            {
                break;
            }

            headers.Remove(header.Key);
            removedBytes += RabbitMqFrameLimit.SizeOf(header);
            removed.Add(header);
        }

        return $"(The event has more headers than RabbitMQ carries in addition to the description of the failure: {removed.Count} were "
            + $"left out, {removedBytes:N0} bytes, the largest is '{removed.MaxBy(RabbitMqFrameLimit.SizeOf).Key}'.)";
    }

    /// <summary>
    /// Gets the order in which headers are removed: 0 for headers of the user and the error details, 1 for attributes,
    /// 2 for the error and the defect, 3 for the type and the id. The subscription and the counts are never removed,
    /// because the message would be useless without them.
    /// </summary>
    private static int RemovalRank(string header)
    {
        if (header.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return header[Prefix.Length..] switch
            {
                ErrorDetails => 0,
                Error or Defect => 2,
                _ => NeverRemoved,
            };
        }

        if (!RabbitMqHeaderNames.IsAttribute(header))
        {
            return 0;
        }

        return RabbitMqHeaderNames.AttributeName(header) is CloudEventAttributes.Type or CloudEventAttributes.Id ? 3 : 1;
    }

    private static string ToText(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);
}
