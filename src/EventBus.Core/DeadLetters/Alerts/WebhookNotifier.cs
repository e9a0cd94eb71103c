using System.Net;
using System.Net.Http.Headers;
using EventBus.Transports;

namespace EventBus;

/// <summary>Posts alerts to a URL as JSON. The URL and the headers are secrets: errors contain only the host.</summary>
internal sealed class WebhookNotifier : IDeadLetterNotifier, IDisposable
{
    private const int MaxAttempts = 3;

    // The delays between the attempts are 1 s and 2 s. The server may ask for up to 5 s. If it asks for more, the call
    // fails, and the dispatcher repeats it later.
    private static readonly Backoff RetryDelays = new(First: TimeSpan.FromSeconds(1), Longest: TimeSpan.FromSeconds(5));

    private readonly Uri url;
    private readonly WebhookOptions options;
    private readonly TimeProvider time;
    private readonly HttpClient client;

    public WebhookNotifier(Uri url, WebhookOptions options, TimeProvider time)
    {
        this.url = url;
        this.options = options;
        this.time = time;

        // Connections are renewed, so that DNS changes take effect. Redirects are off: the headers are meant for this
        // host only. Tracing of the request is off: traces would contain the URL.
        client = new HttpClient(new SocketsHttpHandler
        {
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null
        })
        {
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
        };
    }

    public async Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
    {
        var body = WebhookBody.Write(alert, options.IncludeError);
        var attempt = 0;
        while (true)
        {
            attempt++;
            var (failure, delay) = await TryPostAsync(body, RetryDelays.After(attempt), cancellationToken);
            if (failure is null)
            {
                return;
            }

            if (attempt == MaxAttempts || delay is null)
            {
                throw failure;
            }

            await Task.Delay(delay.Value, time, cancellationToken);
        }
    }

    public void Dispose() => client.Dispose();

    /// <summary>Posts an alert once.</summary>
    /// <returns>
    /// The error, null for success; and the delay after which another attempt is useful, null if the alert must not be
    /// posted again now.
    /// </returns>
    private async Task<(EventBusException? Failure, TimeSpan? Delay)> TryPostAsync(
        byte[] body,
        TimeSpan backoff,
        CancellationToken cancellationToken)
    {
        using var timeout = cancellationToken.WithTimeout(options.Timeout, time);
        try
        {
            using var request = Request(body);
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, timeout.Token);
            if (response.IsSuccessStatusCode)
            {
                return (null, null);
            }

            var failure = new EventBusException($"The webhook at {url.Host} answered {(int)response.StatusCode}.");
            return (failure, IsTransient(response.StatusCode) ? DelayAfter(response.Headers.RetryAfter, backoff) : null);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return (new EventBusException($"The webhook at {url.Host} did not answer within {options.Timeout}."), backoff);
        }
        catch (HttpRequestException exception)
        {
            // The message of the exception may contain the address, so only the kind of the error is used.
            return (new EventBusException($"The webhook at {url.Host} could not be reached: {exception.HttpRequestError}."), backoff);
        }
    }

    private HttpRequestMessage Request(byte[] body)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json", "utf-8");
        foreach (var (name, value) in options.Headers)
        {
            request.Headers.Add(name, value);
        }

        return request;
    }

    private static bool IsTransient(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)status >= 500;

    /// <summary>Returns the delay that the server asks for, at least the backoff; null if it is too long.</summary>
    /// <param name="retryAfter">The header, with a delay or a date; null for none.</param>
    /// <param name="backoff">The delay if the server asks for none.</param>
    private TimeSpan? DelayAfter(RetryConditionHeaderValue? retryAfter, TimeSpan backoff)
    {
        var delay = backoff;
        if (retryAfter?.Delta is { } requested)
        {
            delay = requested;
        }
        else if (retryAfter?.Date is { } date)
        {
            delay = date - time.GetUtcNow();
        }

        delay = delay > backoff ? delay : backoff;
        return delay <= RetryDelays.Longest ? delay : null;
    }
}
