using System.Buffers;
using System.Text;
using System.Text.Json;
using EventBus.Stores;

namespace EventBus;

/// <summary>Writes the JSON body of a webhook call. Chat tools display the field <c>text</c>.</summary>
internal static class WebhookBody
{
    private const int MaxIds = 100;
    private const int MaxErrorInText = 300;

    // The characters that sentences need and that no chat tool interprets as markup: none of them begins a mention, a
    // link, emphasis, code, a quotation or a formula.
    private const string Punctuation = " .,;'\"()-+=?%";

    public static byte[] Write(DeadLetterAlert alert, bool includeError)
    {
        var first = alert.First;
        var error = includeError ? first.Error : null;
        var buffer = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("text", Text(alert, error));
            json.WriteString("service", alert.ServiceName);
            json.WriteString("subscription", first.Subscription);
            json.WriteString("event", first.EventName);
            json.WriteString("eventId", first.EventId);
            json.WriteString("key", first.Key);
            json.WriteNumber("attempts", first.Attempts);
            json.WriteString("errorType", first.ErrorType);
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
            json.WriteString("find", alert.FindCall);
            json.WriteString("link", alert.Link);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>
    /// Writes one line that looks the same in every chat tool. Programs read the unchanged ids and errors from the
    /// other fields.
    /// </summary>
    private static string Text(DeadLetterAlert alert, string? error)
    {
        var text = new StringBuilder(AlertFacts.Of(alert, Plain)).Append(", ").Append(alert.Link ?? CallOf(alert));
        if (error is not null)
        {
            text.Append(": ").Append(Plain(error, MaxErrorInText));
        }

        return text.ToString();
    }

    /// <summary>
    /// Returns the call that shows the dead letter. An id that a sender chose is replaced as all untrusted texts: the
    /// unchanged call is in a field of its own.
    /// </summary>
    private static string CallOf(DeadLetterAlert alert)
    {
        // The id of a dead letter contains a tilde, which must not be replaced. The id of a saga is not composed.
        var first = alert.First;
        var id = first.Id == FailedEvent.MakeId(first.Subscription, first.EventId)
            ? FailedEvent.MakeId(first.Subscription, Plain(first.EventId, AlertFacts.MaxName))
            : Plain(first.Id, AlertFacts.MaxName);
        return string.Join($"\"{id}\"", alert.FindCall.Split(FindCalls.Literal(first.Id), 2).Select(part => Plain(part, MaxErrorInText)));
    }

    /// <summary>
    /// Returns the beginning of an untrusted text. Keeps letters, digits, emoji and characters that no chat tool
    /// interprets as markup; replaces all others with a question mark.
    /// </summary>
    private static string Plain(string text, int max)
    {
        var start = PrintableText.Start(text, max);
        var plain = new StringBuilder(start.Length);
        for (var i = 0; i < start.Length; i++)
        {
            if (char.IsSurrogatePair(start, i))
            {
                plain.Append(start, i, 2);
                i++;
                continue;
            }

            var isInsideWord = i > 0 && i + 1 < start.Length && char.IsLetterOrDigit(start[i - 1]) && char.IsLetterOrDigit(start[i + 1]);
            plain.Append(start[i] switch
            {
                // Inside a word, an underscore does not begin italics.
                '_' => isInsideWord ? '_' : '?',

                // Without a space after it, a colon makes an address or an emoji of the text.
                ':' => i + 1 < start.Length && start[i + 1] == ' ' ? ':' : '?',

                // A dot after www makes an address of it.
                '.' when i >= 3 && start.AsSpan(i - 3, 3).Equals("www", StringComparison.OrdinalIgnoreCase) => '?',
                var c when char.IsLetterOrDigit(c) || Punctuation.Contains(c, StringComparison.Ordinal) => c,
                var c when char.IsControl(c) || char.IsSeparator(c) => ' ',
                var c when char.IsSurrogate(c) => '\uFFFD',
                _ => '?',
            });
        }

        return plain.ToString();
    }
}
