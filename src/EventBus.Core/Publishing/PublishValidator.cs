using System.Buffers;
using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Rejects invalid options, headers and keys of a publish. The rules are the same on every backend, so that code that
/// works in memory works elsewhere.
/// </summary>
internal static class PublishValidator
{
    // The maximum number of headers, and maximum lengths in characters.
    private const int MaxHeaders = 64;
    private const int MaxHeaderNameLength = 64;
    private const int MaxHeaderValueLength = 1_024;
    private const int MaxHeadersLength = 16 * 1_024;
    private const int MaxKeyLength = 256;
    private const int MaxIdLength = 128;

    private static readonly SearchValues<char> HeaderNameChars =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    /// <summary>Checks the options of a publish.</summary>
    /// <returns>
    /// A checked copy of the headers; null for none. The dictionary of the application is read only once, because it
    /// may change or return other values the next time.
    /// </returns>
    public static IReadOnlyDictionary<string, string>? Check(PublishOptions options)
    {
        CheckId(options.EventId, nameof(PublishOptions.EventId));
        CheckId(options.CorrelationId, nameof(PublishOptions.CorrelationId));
        if (options.Timeout is { } timeout && (timeout <= TimeSpan.Zero || timeout > TimeSpan.FromHours(1)))
        {
            throw Refuse($"PublishOptions.Timeout is {timeout}; it must be above zero and at most one hour.");
        }

        if (options.Delay < TimeSpan.Zero)
        {
            throw Refuse($"PublishOptions.Delay is {options.Delay}; it must not be negative.");
        }

        if (options.Delay is not null && options.NotBefore is not null)
        {
            throw Refuse("PublishOptions has a Delay and a NotBefore. Set one of them.");
        }

        try
        {
            return options.Headers is { Count: > 0 } headers ? CheckedHeaders(headers) : null;
        }
        catch (Exception exception) when (exception is not PublishException)
        {
            // The dictionary is code of the application, which may throw any exception.
            throw new PublishException(
                $"PublishOptions.Headers cannot be read: {ExceptionText.Of(exception)}",
                PublishFailure.Rejected,
                null,
                exception);
        }
    }

    public static void CheckKey(string key)
    {
        if (key.Length is 0 or > MaxKeyLength)
        {
            throw Refuse($"The key has {key.Length} characters; 1 to {MaxKeyLength} are allowed, and null for none. Use an id as the key.");
        }

        if (EnvelopeLimits.IndexOfForbidden(key) >= 0)
        {
            throw Refuse("The key contains a control character, a line separator or half a surrogate pair, which readers reject. Use an "
                + "id as the key.");
        }
    }

    private static Dictionary<string, string> CheckedHeaders(IReadOnlyDictionary<string, string> headers)
    {
        if (headers.Count > MaxHeaders)
        {
            throw Refuse($"The event has {headers.Count} headers; at most {MaxHeaders} are allowed.");
        }

        var totalLength = 0;
        var copy = new Dictionary<string, string>(headers.Count, StringComparer.Ordinal);
        foreach (var (name, value) in headers)
        {
            if (copy.Count == MaxHeaders)
            {
                throw Refuse($"PublishOptions.Headers yields more headers than its Count; at most {MaxHeaders} are allowed.");
            }

            if (name.Length is 0 or > MaxHeaderNameLength || name.AsSpan().ContainsAnyExcept(HeaderNameChars))
            {
                throw Refuse($"The header name '{PrintableText.Of(name, MaxHeaderNameLength)}' is invalid: 1 to {MaxHeaderNameLength} "
                    + "ASCII letters, digits, hyphens, underscores and dots are allowed.");
            }

            if (IsReserved(name))
            {
                throw Refuse($"The header name '{name}' is reserved: names that begin with 'ce-', 'cloudevents' or 'eventbus-' carry the "
                    + "event's own attributes, as does 'eventbus.forwarded-by', and brokers act on 'cc' and 'bcc'. Choose another name.");
            }

            if (value is null || value.Length > MaxHeaderValueLength || WouldChangeInTransit(value))
            {
                throw Refuse($"The value of the header '{name}' is invalid: at most {MaxHeaderValueLength:N0} characters, none of them a "
                    + "control character or half of a surrogate pair, are allowed.");
            }

            copy.Add(name, value);
            totalLength += name.Length + value.Length;
        }

        if (totalLength > MaxHeadersLength)
        {
            throw Refuse($"The headers have {totalLength:N0} characters in all; at most {MaxHeadersLength:N0} are allowed.");
        }

        return copy;
    }

    private static bool IsReserved(string name) =>
        name.StartsWith("ce-", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("cloudevents", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("eventbus-", StringComparison.OrdinalIgnoreCase)
            || name.Equals(ForwardedEnvelope.Header, StringComparison.OrdinalIgnoreCase)
            || name.Equals("cc", StringComparison.OrdinalIgnoreCase)
            || name.Equals("bcc", StringComparison.OrdinalIgnoreCase);

    private static void CheckId(string? id, string option)
    {
        if (id is not null && (id.Length is 0 or > MaxIdLength || EnvelopeLimits.IndexOfForbidden(id) >= 0))
        {
            throw Refuse($"PublishOptions.{option} is invalid: 1 to {MaxIdLength} characters, none of them a control character, a line "
                + "separator or half a surrogate pair, are allowed.");
        }
    }

    /// <summary>
    /// Returns true if a text would change in transit: it contains control characters or unpaired surrogates, which
    /// UTF-8 cannot encode.
    /// </summary>
    private static bool WouldChangeInTransit(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsControl(text[i]))
            {
                return true;
            }

            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }

            // A pair takes two characters.
            var isPair = i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]);
            if (!isPair)
            {
                return true;
            }

            i++;
        }

        return false;
    }


    private static PublishException Refuse(string message) => new(message, PublishFailure.Rejected, null);
}
