using System.Buffers;
using System.Text;
using System.Text.Json;

namespace EventBus;

/// <summary>What a webhook is told. The field <c>text</c> is what chat tools show.</summary>
internal static class WebhookBody
{
    private const int MaxIds = 100;
    private const int MaxErrorInText = 300;
    private const char LineSeparator = '\u2028';
    private const char ParagraphSeparator = '\u2029';

    public static byte[] Write(DeadLetterAlert alert, bool includeError)
    {
        var (first, error) = (alert.First, includeError ? alert.First.Error : null);
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("text", Text(alert, error));
            json.WriteString("service", alert.ServiceName);
            json.WriteString("subscription", first.Subscription);
            json.WriteString("event", first.EventName);
            json.WriteString("reason", first.Reason.ToString());
            if (error is not null)
            {
                json.WriteString("error", error);
            }

            json.WriteNumber("count", alert.Count);
            json.WriteString("firstId", first.Id);
            json.WriteStartArray("ids");
            foreach (var id in alert.Ids.Take(MaxIds))
            {
                json.WriteStringValue(id);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>One line.</summary>
    private static string Text(DeadLetterAlert alert, string? error)
    {
        var first = alert.First;
        var text = new StringBuilder();
        text.Append(alert.ServiceName.Length > 0 ? $"{alert.ServiceName}: " : "").Append(first.Subscription).Append(" failed for good on ").Append(first.EventName)
            .Append(alert.Count == 1 ? $" ({first.Reason}), dead letter {first.Id}" : $" ({first.Reason}), {alert.Count} dead letters, the first is {first.Id}");
        if (error is not null)
        {
            text.Append(": ").Append(Start(error, MaxErrorInText));
        }

        for (var i = 0; i < text.Length; i++)
        {
            text[i] = char.IsControl(text[i]) || text[i] is LineSeparator or ParagraphSeparator ? ' ' : text[i];
        }

        return text.ToString();
    }

    /// <summary>The beginning of a text, never with half a character at its end.</summary>
    private static ReadOnlySpan<char> Start(string text, int max) =>
        text.Length <= max ? text : text.AsSpan(0, char.IsHighSurrogate(text[max - 1]) ? max - 1 : max);
}
