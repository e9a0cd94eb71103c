namespace EventBus;

/// <summary>How dead letters are posted to a webhook.</summary>
public sealed class WebhookOptions
{
    /// <summary>Whether the error goes out, in its own field and in the text. It may hold what an exception says of customers, and text for chat tools is not escaped: turn it off where either matters. Default true.</summary>
    public bool IncludeError { get; set; } = true;

    /// <summary>Whether plain http is allowed to another machine. Default false: https, or this machine.</summary>
    public bool AllowInsecure { get; set; }

    /// <summary>How long one attempt may take. Default 8 s; 10 ms to 30 s. All three attempts and the waits between them have 30 s together.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(8);

    /// <summary>Headers of the request, for instance <c>Authorization</c>. Never logged. Default none.</summary>
    public IDictionary<string, string> Headers { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    internal IEnumerable<string> Problems(Uri url)
    {
        var isWeb = url.IsAbsoluteUri && url.Scheme is "http" or "https";
        if (!isWeb)
        {
            yield return "The URL given to bus.AlertByWebhook(...) is no absolute http or https address. Give the whole address, from https:// on.";
        }
        else if (url.Scheme == "http" && !url.IsLoopback && !AllowInsecure)
        {
            yield return $"The webhook at {url.Host} would be called by plain http, where its address, its headers and the errors can be read on the way. Use https, or set {nameof(WebhookOptions)}.{nameof(AllowInsecure)}.";
        }

        if (isWeb && url.UserInfo.Length > 0)
        {
            yield return $"The address of the webhook at {url.Host} holds a user name, which would not be sent. Leave it out, and set the header Authorization in {nameof(WebhookOptions)}.{nameof(Headers)}.";
        }

        if (Timeout < TimeSpan.FromMilliseconds(10) || Timeout > TimeSpan.FromSeconds(30))
        {
            yield return $"{nameof(WebhookOptions)}.{nameof(Timeout)} is {Timeout}; 10 ms to 30 s are allowed.";
        }

        using var request = new HttpRequestMessage();
        foreach (var (name, value) in Headers)
        {
            if (!IsAllowed(request, name, value))
            {
                yield return $"The header '{name}' given to bus.AlertByWebhook(...) is not a valid header of a request, or its value is not. Correct it: values are ASCII, and Content-Type is set already.";
            }
        }
    }

    private static bool IsAllowed(HttpRequestMessage request, string name, string value)
    {
        try
        {
            request.Headers.Add(name, value);

            // Only the sending would find it.
            return value.All(char.IsAscii);
        }
        catch (Exception exception) when (exception is FormatException or InvalidOperationException or ArgumentException)
        {
            return false;
        }
    }
}
