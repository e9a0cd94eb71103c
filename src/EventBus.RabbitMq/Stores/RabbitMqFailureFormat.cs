using System.Globalization;
using System.Text;
using EventBus.Stores;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>How a failed event looks in a queue: the event as it was published, and beside its attributes what failed, in headers that begin with <c>eventbus-</c>. Reading never throws.</summary>
internal static class RabbitMqFailureFormat
{
    public const string Prefix = "eventbus-";

    /// <summary>Of what the broker itself put aside, nobody wrote an event's name that can be relied on.</summary>
    private const string Nameless = "event.unreadable";

    public static BasicProperties Write(FailedEvent entry, string serviceName)
    {
        var properties = RabbitMqWireFormat.Write(entry.Envelope, serviceName);
        var headers = properties.Headers!;
        headers[Prefix + "subscription"] = entry.Subscription;
        headers[Prefix + "starts"] = entry.Starts;
        headers[Prefix + "replays"] = entry.Replays;
        headers[Prefix + "first-failed"] = Text(entry.FirstFailedAt);
        headers[Prefix + "last-failed"] = Text(entry.LastFailedAt);
        if (entry.Status == FailedEventStatus.Dead || entry.Replays > 0)
        {
            headers[Prefix + "reason"] = entry.Reason.ToString();
        }

        Add("number", entry.Number == 0 ? null : entry.Number.ToString(CultureInfo.InvariantCulture));
        Add("suspect", entry.WasInterrupted ? "true" : null);
        Add("error", entry.Error);
        Add("error-details", entry.ErrorDetails);
        Add("defect", entry.Envelope.Defect);
        return properties;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                headers[Prefix + name] = value;
            }
        }
    }

    /// <summary>Reads an entry.</summary>
    /// <param name="message">The message, from a retry queue, the dead letters or the alerts.</param>
    /// <param name="serviceName">What the names of the application's queues begin with.</param>
    /// <param name="status">What an entry of that queue is.</param>
    public static FailedEvent Read(BasicGetResult message, string serviceName, FailedEventStatus status)
    {
        var headers = message.BasicProperties.Headers;
        var envelope = RabbitMqWireFormat.Read(Nameless, message.BasicProperties, message.Body.ToArray(), out _);
        if (Text("defect") is { } defect && envelope.Defect is null)
        {
            envelope = RabbitMqWireFormat.Spoil(envelope, defect);
        }

        return new FailedEvent
        {
            Subscription = Text("subscription") ?? SubscriptionOf(headers, serviceName),
            Envelope = envelope,
            Status = status,
            Starts = (int)Math.Min(int.MaxValue, Number("starts")),
            Replays = (int)Math.Min(int.MaxValue, Number("replays")),
            FirstFailedAt = Time("first-failed"),
            LastFailedAt = Time("last-failed"),
            Reason = Enum.TryParse<DeadLetterReason>(Text("reason"), out var reason) && Enum.IsDefined(reason) ? reason : DeadLetterReason.HandlerFailed,
            Error = Text("error") ?? (Text("subscription") is null ? "RabbitMQ itself put it here: its queue has a limit or a policy that dropped it." : null),
            ErrorDetails = Text("error-details"),
            Number = Number("number"),
            WasInterrupted = Text("suspect") is not null,
        };

        string? Text(string name) => headers?.TryGetValue(Prefix + name, out var value) == true && value is byte[] text ? Encoding.UTF8.GetString(text) : null;

        long Number(string name) => headers?.TryGetValue(Prefix + name, out var value) == true
            ? value switch
            {
                int number => Math.Max(0, number),
                long number => Math.Max(0, number),
                byte[] text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0,
                _ => 0,
            }
            : 0;

        DateTimeOffset Time(string name) => DateTimeOffset.TryParse(Text(name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : default;
    }

    private static string Text(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);

    /// <summary>The broker says from which queue it took what it put aside.</summary>
    private static string SubscriptionOf(IDictionary<string, object?>? headers, string serviceName) =>
        headers?.TryGetValue("x-first-death-queue", out var value) == true && value is byte[] text && Encoding.UTF8.GetString(text) is var queue && queue.StartsWith($"{serviceName}.", StringComparison.Ordinal)
            ? queue[(serviceName.Length + 1)..]
            : "";
}
