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

        headers[FailureHeaderNames.Subscription] = entry.Subscription;
        headers[FailureHeaderNames.Attempts] = entry.Attempts;
        headers[FailureHeaderNames.ManualRetries] = entry.ManualRetries;
        headers[FailureHeaderNames.FirstFailedAt] = ToText(entry.FirstFailedAt);
        headers[FailureHeaderNames.LastFailedAt] = ToText(entry.LastFailedAt);

        // In other cases the reason is not valid.
        if (entry.Status == FailedEventStatus.Dead || entry.ManualRetries > 0)
        {
            headers[FailureHeaderNames.Reason] = entry.Reason.ToString();
        }

        Add(FailureHeaderNames.Number, entry.Number == 0 ? null : entry.Number.ToString(CultureInfo.InvariantCulture));
        Add(FailureHeaderNames.WasInterrupted, entry.WasInterrupted ? "true" : null);
        Add(FailureHeaderNames.IsConcurrent, entry.WasInterrupted && entry.Concurrent > 0 ? "true" : null);
        Add(FailureHeaderNames.Error, entry.Error);
        Add(FailureHeaderNames.ErrorType, entry.ErrorType);
        Add(FailureHeaderNames.ErrorDetails, entry.ErrorDetails);
        Add(FailureHeaderNames.Defect, entry.Envelope.Defect);
        Add(FailureHeaderNames.FullBodyLength, entry.Envelope.FullBodyLength?.ToString(CultureInfo.InvariantCulture));
        FailureHeaderLimit.Apply(properties, maxFrame);
        return properties;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                headers[name] = value;
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
        var death = BrokerDeath.ReadNewest(message.BasicProperties.Headers);

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
        var defect = headers.Text(FailureHeaderNames.Defect);
        if (defect is not null && envelope.Defect is null)
        {
            var isShortened = headers.Text(FailureHeaderNames.FullBodyLength) is not null;
            long? fullBodyLength = isShortened ? headers.Number(FailureHeaderNames.FullBodyLength) : null;
            envelope = RabbitMqDefect.AddTo(envelope, defect, fullBodyLength);
        }

        // Messages that the bus itself puts into the dead-letter or alert queue have no x-death header.
        var isOfBroker = status == FailedEventStatus.Dead && death.Reason.Length > 0;
        return new FailedEvent
        {
            Subscription = movedFrom ?? headers.Text(FailureHeaderNames.Subscription) ?? "",
            Envelope = envelope,
            Status = status,
            Attempts = headers.Count(FailureHeaderNames.Attempts),
            ManualRetries = headers.Count(FailureHeaderNames.ManualRetries),
            FirstFailedAt = headers.Time(FailureHeaderNames.FirstFailedAt),
            LastFailedAt = headers.Time(FailureHeaderNames.LastFailedAt),
            Reason = isOfBroker ? ReasonOf(death) : ReasonOf(headers),
            Error = isOfBroker ? death.Text : headers.Text(FailureHeaderNames.Error),
            ErrorType = isOfBroker ? null : headers.Text(FailureHeaderNames.ErrorType),
            ErrorDetails = headers.Text(FailureHeaderNames.ErrorDetails),
            Number = headers.Number(FailureHeaderNames.Number),
            WasInterrupted = headers.Text(FailureHeaderNames.WasInterrupted) is not null,
            Concurrent = headers.Text(FailureHeaderNames.IsConcurrent) is null ? 0 : 1,
        };
    }

    private static DeadLetterReason ReasonOf(BrokerDeath death) =>
        death.ExceedsDeliveryLimit ? DeadLetterReason.ProcessEnded : DeadLetterReason.DroppedByBroker;

    private static DeadLetterReason ReasonOf(FailureHeaders headers)
    {
        var isKnown = Enum.TryParse<DeadLetterReason>(headers.Text(FailureHeaderNames.Reason), out var reason) && Enum.IsDefined(reason);
        return isKnown ? reason : DeadLetterReason.HandlerFailed;
    }

    private static string ToText(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);
}
