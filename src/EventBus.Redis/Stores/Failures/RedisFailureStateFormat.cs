using System.Buffers;
using System.Text.Json;
using EventBus.Stores;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Serializes the state of an entry as JSON, which scripts change. <see cref="RedisFailureLua"/> describes its fields.
/// </summary>
internal static class RedisFailureStateFormat
{
    // The length of the field "place".
    private const int PlaceLength = 16;

    /// <summary>The entry that stands for one whose state cannot be read.</summary>
    public static FailedEvent Placeholder { get; } = new()
    {
        Subscription = "",
        Envelope = new Envelope(new EnvelopeAttributes { Id = "", Name = CloudEventAttributes.UnreadableType }, []),
        Status = FailedEventStatus.Dead,
        FirstFailedAt = DateTimeOffset.UnixEpoch,
        LastFailedAt = DateTimeOffset.UnixEpoch,
        Reason = DeadLetterReason.Unreadable,
    };

    /// <summary>Writes the state of an entry.</summary>
    /// <param name="entry">The entry.</param>
    /// <param name="token">The token of the call that writes it.</param>
    public static byte[] Write(FailedEvent entry, string token)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("status", StatusName(entry.Status));
        json.WriteString("name", entry.Envelope.Name);
        json.WriteNumber("starts", entry.Attempts);
        json.WriteNumber("accompanied", entry.Concurrent);
        json.WriteNumber("replays", entry.ManualRetries);
        json.WriteNumber("claim", 0);
        json.WriteNumber("number", 0);
        json.WriteString("due", RedisTime.WriteText(entry.DueAt));
        json.WriteString("first", RedisTime.WriteText(entry.FirstFailedAt));
        json.WriteString("last", RedisTime.WriteText(entry.LastFailedAt));
        json.WriteString("reason", entry.Reason.ToString());
        json.WriteString("token", token);
        if (entry.Deadline is { } deadline)
        {
            json.WriteString("deadline", RedisTime.WriteText(deadline));
        }

        if (entry.NeedsAlert)
        {
            json.WriteBoolean("alert", true);
        }

        if (entry.LineKey is { } line)
        {
            json.WriteString("line", RedisFailureKeys.Prefix(entry.Subscription, line));
        }

        if (entry.OrderKey is { } order)
        {
            json.WriteString("order", RedisFailureKeys.Prefix(entry.Subscription, order));
        }

        if (entry.Position is { } position)
        {
            json.WriteString("rank", RedisRank.Write(position));
            json.WriteString("before", RedisRank.Write(position == long.MinValue ? position : position - 1));
        }

        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Reads the state of an entry; returns null if it cannot be read.</summary>
    /// <param name="subscription">The name of the subscription.</param>
    /// <param name="stored">The stored state.</param>
    /// <param name="defect">
    /// The reason why the state cannot be read, or that a script had to rebuild it; null if neither is the case.
    /// </param>
    public static StoredState? Read(string subscription, RedisResult stored, out string? defect)
    {
        defect = null;
        try
        {
            var bytes = (byte[]?)stored ?? throw new FormatException("it is missing");
            using var document = JsonDocument.Parse(bytes);
            var state = document.RootElement;
            if (state.TryGetProperty("broken", out _))
            {
                defect = "The stored state could not be read.";
            }

            var isHeld = state.TryGetProperty("held", out var held) && held.ValueKind == JsonValueKind.True;
            var status = StatusOf(state.GetProperty("status").GetString());
            var entry = Placeholder with
            {
                Subscription = subscription,
                Status = status,
                Attempts = state.GetProperty("starts").GetInt32(),
                Concurrent = state.TryGetProperty("accompanied", out var accompanied) ? accompanied.GetInt32() : 0,
                ManualRetries = state.GetProperty("replays").GetInt32(),
                Claim = state.GetProperty("claim").GetInt64(),
                WasInterrupted = isHeld
                    && state.TryGetProperty("interrupted", out var interrupted)
                    && interrupted.ValueKind == JsonValueKind.True,
                Number = state.GetProperty("number").GetInt64(),
                DueAt = RedisTime.ReadText(Text("due") ?? ""),
                FirstFailedAt = RedisTime.ReadText(Text("first") ?? ""),
                LastFailedAt = RedisTime.ReadText(Text("last") ?? ""),
                Deadline = Text("deadline") is { } deadline ? RedisTime.ReadText(deadline) : null,
                Reason = Enum.TryParse<DeadLetterReason>(Text("reason"), out var reason) && Enum.IsDefined(reason) ? reason : default,
                NeedsAlert = state.TryGetProperty("alert", out var alert) && alert.ValueKind == JsonValueKind.True,
                LineKey = Text("line") is { } line ? RedisFailureKeys.KeyOf(line) : null,
                OrderKey = Text("order") is { } order ? RedisFailureKeys.KeyOf(order) : null,
                Position = Text("rank") is { } rank ? PositionOf(rank) : null,
            };
            var isPlaceValid = entry.LineKey is null || Text("place")?.Length == PlaceLength;
            if (!isPlaceValid || !HasKey(entry))
            {
                throw new FormatException("it does not contain the line of the entry, its place in the line, or its order key");
            }

            return new StoredState(Text("name") ?? "", isHeld ? entry : entry with { Claim = 0 });

            string? Text(string property) =>
                state.TryGetProperty(property, out var value) && value.ValueKind != JsonValueKind.Null ? value.GetString() : null;
        }
        catch (Exception exception)
            when (exception is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            // The message of a JsonException contains parts of the data.
            defect = $"The stored state cannot be read: {(exception is JsonException ? "it is no JSON" : exception.Message)}";
            return null;
        }
    }

    /// <summary>True if an entry has the key that its status requires.</summary>
    private static bool HasKey(FailedEvent entry) => entry.Status switch
    {
        FailedEventStatus.Parked => entry.LineKey is not null,
        FailedEventStatus.Deferred => entry.OrderKey is not null,
        _ => true,
    };

    private static long PositionOf(string rank) => RedisRank.Read(rank) ?? throw new FormatException($"'{rank}' is no position.");

    private static string StatusName(FailedEventStatus status) => status switch
    {
        FailedEventStatus.Waiting => "waiting",
        FailedEventStatus.Parked => "parked",
        FailedEventStatus.Dead => "dead",
        FailedEventStatus.Deferred => "deferred",
        _ => throw new ArgumentOutOfRangeException(nameof(status), status, null),
    };

    private static FailedEventStatus StatusOf(string? name) => name switch
    {
        "waiting" => FailedEventStatus.Waiting,
        "parked" => FailedEventStatus.Parked,
        "dead" => FailedEventStatus.Dead,
        "deferred" => FailedEventStatus.Deferred,
        _ => throw new FormatException($"'{name}' is no status."),
    };
}
