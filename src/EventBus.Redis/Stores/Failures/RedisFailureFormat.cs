using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using EventBus.Stores;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Serializes the parts of an entry. The state is JSON, which scripts change (<see cref="RedisFailureLua"/> describes
/// its fields). The errors, also JSON, and the attributes and the body of the event are not read by scripts.
/// </summary>
internal static class RedisFailureFormat
{
    // The length of the field "place".
    private const int PlaceLength = 16;

    /// <summary>Splits the id of an entry into the name of its subscription and the id of its event.</summary>
    public static (string Subscription, string EventId) Split(string id)
    {
        var separator = id.IndexOf('~', StringComparison.Ordinal);
        return separator >= 0 ? (id[..separator], id[(separator + 1)..]) : (id, "");
    }

    public static byte[] WriteState(FailedEvent entry, string token)
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
            json.WriteString("rank", WriteRank(position));
            json.WriteString("before", WriteRank(position == long.MinValue ? position : position - 1));
        }

        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] WriteErrors(FailedEvent entry)
    {
        if (entry is { Error: null, ErrorDetails: null, History.Count: 0 })
        {
            return [];
        }

        var buffer = new ArrayBufferWriter<byte>(256);
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteString("error", entry.Error);
        json.WriteString("details", entry.ErrorDetails);
        json.WritePropertyName("history");
        json.WriteRawValue(StoreFormat.WriteHistory(entry.History));
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Writes a position as text that sorts in numerical order: 20 digits, where the lowest position is 0. Inverting
    /// the sign bit moves the negative positions before the others.
    /// </summary>
    public static string WriteRank(long position) => unchecked((ulong)position ^ (1UL << 63)).ToString("D20", CultureInfo.InvariantCulture);

    /// <summary>Reads a position; returns null if the text is not a position.</summary>
    public static long? ReadRank(string rank) =>
        ulong.TryParse(rank, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? unchecked((long)(value ^ (1UL << 63)))
            : null;

    /// <summary>
    /// Reads an entry; never throws. If the entry cannot be read, returns a placeholder that says so.
    /// </summary>
    public static FailedEvent Read(string id, in StoredFailure stored)
    {
        var (subscription, eventId) = Split(id);
        var state = ReadState(subscription, stored.State, out var defect);
        var name = state?.Name is { Length: > 0 } known ? known : CloudEventAttributes.UnreadableType;
        var body = (byte[]?)stored.Body;
        var envelope = StoreFormat.Read((byte[]?)stored.Event ?? [], body ?? [], eventId, name);
        if (body is null)
        {
            defect ??= "The stored body is missing.";
        }
        else if (envelope.Id != eventId)
        {
            defect ??= "The stored attributes are those of another event.";
        }

        if (defect is not null)
        {
            envelope = new Envelope(new EnvelopeAttributes { Id = eventId, Name = name, Defect = defect }, body ?? []);
        }

        var (error, details, history) = ReadErrors((byte[]?)stored.Errors ?? []);
        var entry = state?.Entry ?? Placeholder;
        return entry with
        {
            Subscription = subscription,
            Envelope = envelope,
            Error = error ?? defect,
            ErrorDetails = details,
            History = history
        };
    }

    /// <summary>Returns true if an entry is readable as far as can be seen without its body.</summary>
    public static bool IsReadable(string id, RedisResult state, RedisResult attributes)
    {
        var (subscription, eventId) = Split(id);

        // For attributes that cannot be read, StoreFormat.Read returns the given id, which is empty here.
        return ReadState(subscription, state, out var defect) is not null
            && defect is null
            && StoreFormat.Read((byte[]?)attributes ?? [], [], "", "").Id == eventId;
    }

    /// <summary>Reads the state of an entry; returns null if it cannot be read.</summary>
    public static StoredState? ReadState(string subscription, RedisResult stored, out string? defect)
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
                LineKey = Text("line") is { } line ? KeyOf(line) : null,
                OrderKey = Text("order") is { } order ? KeyOf(order) : null,
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

    private static FailedEvent Placeholder { get; } = new()
    {
        Subscription = "",
        Envelope = new Envelope(new EnvelopeAttributes { Id = "", Name = CloudEventAttributes.UnreadableType }, []),
        Status = FailedEventStatus.Dead,
        FirstFailedAt = DateTimeOffset.UnixEpoch,
        LastFailedAt = DateTimeOffset.UnixEpoch,
        Reason = DeadLetterReason.Unreadable,
    };

    private static (string? Error, string? Details, IReadOnlyList<FailedAttempt> History) ReadErrors(byte[] errors)
    {
        if (errors.Length == 0)
        {
            return (null, null, []);
        }

        try
        {
            using var document = JsonDocument.Parse(errors);
            var root = document.RootElement;
            return (
                root.GetProperty("error").GetString(),
                root.GetProperty("details").GetString(),
                StoreFormat.ReadHistory(Encoding.UTF8.GetBytes(root.GetProperty("history").GetRawText())));
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return (null, null, []);
        }
    }

    private static long PositionOf(string rank) => ReadRank(rank) ?? throw new FormatException($"'{rank}' is no position.");

    /// <summary>Reads the key from a prefix that <see cref="RedisFailureKeys.Prefix"/> has written.</summary>
    private static string KeyOf(string prefix)
    {
        // The subscription, the length of the key, and the key, each with a tilde after it.
        var lengthStart = prefix.IndexOf('~', StringComparison.Ordinal) + 1;
        var keyStart = lengthStart > 0 ? prefix.IndexOf('~', lengthStart) + 1 : 0;
        if (keyStart <= 0 || keyStart >= prefix.Length)
        {
            throw new FormatException($"'{prefix}' contains no key.");
        }

        return prefix[keyStart..^1];
    }

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
