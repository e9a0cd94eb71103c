using System.Globalization;
using System.Text;
using EventBus.Stores;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>How a failed event looks in a queue: the event as it was published, and beside its attributes what failed, in headers that begin with <c>eventbus-</c>. Reading never throws.</summary>
internal static class RabbitMqFailureFormat
{
    public const string Prefix = "eventbus-";

    private const string ErrorDetails = "error-details";

    // All headers travel in one frame, of 128 KB by default. What is too much would cost the connection, and come again, for ever.
    private const int MaxHeaderBytes = 100_000;

    // A short string's length, a type, and a long string's length.
    private const int BytesBesideAHeader = 6;

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
        Add("accompanied", entry.WasInterrupted && entry.Accompanied > 0 ? "true" : null);
        Add("error", entry.Error);
        Add(ErrorDetails, entry.ErrorDetails);
        Add("defect", entry.Envelope.Defect);
        if (LeaveOut(headers) is { } note)
        {
            headers[Prefix + "error"] = $"{entry.Error} {note}".TrimStart();
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
            ErrorDetails = Text(ErrorDetails),
            Number = Number("number"),
            WasInterrupted = Text("suspect") is not null,
            Accompanied = Text("accompanied") is null ? 0 : 1,
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

    /// <summary>Removes headers until the rest fits: another program's own, the largest first, and only then attributes. An event of this library's has at most 16,384 characters of them.</summary>
    private static string? LeaveOut(IDictionary<string, object?> headers)
    {
        var excess = headers.Sum(SizeOf) - MaxHeaderBytes;
        if (excess <= 0)
        {
            return null;
        }

        var (bytes, leftOut) = (0, new List<KeyValuePair<string, object?>>());
        var dispensable = headers.Where(header => header.Key == Prefix + ErrorDetails || !header.Key.StartsWith(Prefix, StringComparison.Ordinal));
        foreach (var header in dispensable.OrderBy(header => RabbitMqWireFormat.IsAttribute(header.Key)).ThenByDescending(SizeOf).TakeWhile(_ => bytes < excess))
        {
            headers.Remove(header.Key);
            bytes += SizeOf(header);
            leftOut.Add(header);
        }

        return $"(The event came with more headers than RabbitMQ carries beside what failed: {leftOut.Count} were left out, {bytes:N0} bytes, the largest is '{leftOut.MaxBy(SizeOf).Key}'.)";
    }

    private static int SizeOf(KeyValuePair<string, object?> header) => Encoding.UTF8.GetByteCount(header.Key) + BytesBesideAHeader + (header.Value is string text ? Encoding.UTF8.GetByteCount(text) : sizeof(long));

    private static string Text(DateTimeOffset time) => time.ToString("O", CultureInfo.InvariantCulture);

    /// <summary>The broker says from which queue it took what it put aside.</summary>
    private static string SubscriptionOf(IDictionary<string, object?>? headers, string serviceName) =>
        headers?.TryGetValue("x-first-death-queue", out var value) == true && value is byte[] text && Encoding.UTF8.GetString(text) is var queue && queue.StartsWith($"{serviceName}.", StringComparison.Ordinal)
            ? queue[(serviceName.Length + 1)..]
            : "";
}
