namespace EventBus;

/// <summary>The options of a webhook that receives alerts about dead letters.</summary>
public sealed class WebhookOptions
{
    /// <summary>
    /// True to send the error, both in a field of its own and in the text. An exception message may contain customer
    /// data. Characters that chat tools interpret as markup are replaced in the text, but not in the field. Set this to
    /// false if the receiver must not get such data or such characters. Default true.
    /// </summary>
    public bool IncludeError { get; set; } = true;

    /// <summary>
    /// True to allow plain http to another machine. Default false: https is required, except to the local machine.
    /// </summary>
    public bool AllowInsecure { get; set; }

    /// <summary>
    /// The timeout of one attempt. Default 8 s; 10 ms to 30 s. All three attempts and the delays between them together
    /// have 30 s.
    /// </summary>
    [AllowedRange("00:00:00.01", "00:00:30")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(8);

    /// <summary>Additional request headers, for example <c>Authorization</c>. Never logged. Default none.</summary>
    public IDictionary<string, string> Headers { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    internal IEnumerable<string> Problems(Uri url)
    {
        var isWeb = url.IsAbsoluteUri && url.Scheme is "http" or "https";
        if (!isWeb)
        {
            yield return "The URL given to bus.AddWebhookAlert(...) is no absolute http or https address. Give the whole address, from "
                + "https:// on.";
        }
        else if (url.Scheme == "http" && !url.IsLoopback && !AllowInsecure)
        {
            yield return $"The webhook at {url.Host} would be called by plain http, where its address, its headers and the errors can be "
                + $"read in transit. Use https, or set {nameof(WebhookOptions)}.{nameof(AllowInsecure)}.";
        }

        if (isWeb && url.UserInfo.Length > 0)
        {
            yield return $"The address of the webhook at {url.Host} holds a user name, which would not be sent. Leave it out, and set "
                + $"the header Authorization in {nameof(WebhookOptions)}.{nameof(Headers)}.";
        }

        using var request = new HttpRequestMessage();
        foreach (var (name, value) in Headers)
        {
            if (!IsAllowed(request, name, value))
            {
                yield return $"The header '{name}' given to bus.AddWebhookAlert(...) is not a valid header of a request, or its value is "
                    + "not. Correct it: values are ASCII, and Content-Type is set already.";
            }
        }
    }

    private static bool IsAllowed(HttpRequestMessage request, string name, string value)
    {
        try
        {
            request.Headers.Add(name, value);

            // The client would accept other characters here, and fail only when it sends the request.
            return value.All(char.IsAscii);
        }
        catch (Exception exception) when (exception is FormatException or InvalidOperationException or ArgumentException)
        {
            return false;
        }
    }
}
