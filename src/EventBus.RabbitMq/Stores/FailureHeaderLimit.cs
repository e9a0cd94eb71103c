using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Removes headers of a failed event that do not fit into one frame of the connection.</summary>
internal static class FailureHeaderLimit
{
    private const int NeverRemoved = int.MaxValue;

    // The room for the note about removed headers: its text, and a header name of which each byte may become a
    // character of three bytes.
    private const int MaxNoteBytes = 1_024;

    // Fits into a frame of 128 KB, the default. Larger headers would close the connection at each attempt to send or
    // deliver the message.
    private const int MaxHeaderBytes = 100_000;

    /// <summary>Removes headers that do not fit, and adds a note about them to the error.</summary>
    /// <param name="properties">The properties of the message, with its headers.</param>
    /// <param name="maxFrame">The largest frame size of the connection in bytes; 0 for no limit.</param>
    public static void Apply(BasicProperties properties, uint maxFrame)
    {
        var headers = properties.Headers!;
        var room = Math.Min(MaxHeaderBytes, RabbitMqFrameLimit.RoomForHeaders(properties, maxFrame) - MaxNoteBytes);
        var note = RemoveExcess(headers, room);
        if (note is not null)
        {
            var error = headers.TryGetValue(FailureHeaderNames.Error, out var kept) ? kept : null;
            headers[FailureHeaderNames.Error] = $"{error} {note}".TrimStart();
        }
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
        if (header.StartsWith(RabbitMqHeaderNames.BusPrefix, StringComparison.Ordinal))
        {
            return header switch
            {
                FailureHeaderNames.ErrorDetails => 0,
                FailureHeaderNames.Error or FailureHeaderNames.ErrorType or FailureHeaderNames.Defect => 2,
                _ => NeverRemoved,
            };
        }

        if (!RabbitMqHeaderNames.IsAttribute(header))
        {
            return 0;
        }

        return RabbitMqHeaderNames.AttributeName(header) is CloudEventAttributes.Type or CloudEventAttributes.Id ? 3 : 1;
    }
}
