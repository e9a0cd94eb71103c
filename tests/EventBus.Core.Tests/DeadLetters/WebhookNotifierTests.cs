namespace EventBus;

public sealed partial class WebhookNotifierTests
{
    private static readonly TimeSpan OneAttempt = new WebhookOptions().Timeout;

    private readonly SteppingTime time = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("500 Internal Server Error")]
    [InlineData("503 Service Unavailable")]
    [InlineData("429 Too Many Requests")]
    [InlineData("408 Request Timeout")]
    [InlineData("")]
    public async Task Post_FailsTemporarily_IsRepeatedWithTheSameIds(string failure)
    {
        await using var server = new WebhookServer(number => number < 3 ? failure : WebhookServer.Ok);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        var alerting = webhook.NotifyAsync(Alert(), Token);
        await PassAttemptAsync(1);
        await PassAttemptAsync(2);
        await alerting.WaitAsync(RunningBus.Patience, Token);

        var first = await server.NextAsync();
        Assert.Contains("mail~1", first.Body, StringComparison.Ordinal);
        Assert.Equal([first.Body, first.Body], [(await server.NextAsync()).Body, (await server.NextAsync()).Body]);
        Assert.Equal(3, server.Received);
    }

    [Fact]
    public async Task Post_KeepsFailing_StopsAfterThreeAttempts()
    {
        await using var server = new WebhookServer(_ => "502 Bad Gateway");
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        var alerting = webhook.NotifyAsync(Alert(), Token);
        await PassAttemptAsync(1);
        await PassAttemptAsync(2);

        Assert.Equal("The webhook at 127.0.0.1 answered 502.", (await FailureOfAsync(alerting)).Message);
        Assert.Equal(3, server.Received);
    }

    [Theory]
    [InlineData("400 Bad Request")]
    [InlineData("401 Unauthorized")]
    [InlineData("404 Not Found")]
    [InlineData("410 Gone")]
    [InlineData("304 Not Modified")]
    public async Task Post_Refused_IsNotRepeatedAtOnce(string status)
    {
        await using var server = new WebhookServer(_ => status);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        var failure = await FailureOfAsync(webhook.NotifyAsync(Alert(), Token));

        Assert.Equal($"The webhook at 127.0.0.1 answered {status[..3]}.", failure.Message);
        Assert.Equal(1, server.Received);
    }

    [Theory]
    [InlineData("301 Moved Permanently")]
    [InlineData("307 Temporary Redirect")]
    public async Task Post_Redirected_IsNotSentElsewhere(string status)
    {
        await using var other = new WebhookServer(_ => WebhookServer.Ok);
        await using var server = new WebhookServer(_ => $"{status}\r\nLocation: {other.Url}");
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        Assert.Contains(
            $"answered {status[..3]}",
            (await FailureOfAsync(webhook.NotifyAsync(Alert(), Token))).Message,
            StringComparison.Ordinal);
        Assert.Equal(0, other.Received);
    }

    [Theory]
    [InlineData("4", 4)]
    [InlineData("0", 1)]
    [InlineData("Thu, 01 Jan 1970 00:00:00 GMT", 1)]
    [InlineData("soon", 1)]
    public async Task RetryAfter_Short_IsAwaited(string asked, int seconds)
    {
        await using var server =
            new WebhookServer(number => number == 1 ? $"503 Service Unavailable\r\nRetry-After: {asked}" : WebhookServer.Ok);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        var alerting = webhook.NotifyAsync(Alert(), Token);
        await PassAttemptAsync(seconds);
        await alerting.WaitAsync(RunningBus.Patience, Token);

        Assert.Equal(2, server.Received);
    }

    [Fact]
    public async Task RetryAfter_Long_PostponesTheAlert()
    {
        await using var server = new WebhookServer(_ => "429 Too Many Requests\r\nRetry-After: 60");
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        Assert.Contains("answered 429", (await FailureOfAsync(webhook.NotifyAsync(Alert(), Token))).Message, StringComparison.Ordinal);
        Assert.Equal(1, server.Received);
    }

    [Fact]
    public async Task Connection_RefusedAtFirst_IsRetried()
    {
        var port = WebhookServer.ClosedPort();
        using var webhook = new WebhookNotifier(new Uri($"http://127.0.0.1:{port}/hook"), new WebhookOptions(), time);

        var alerting = webhook.NotifyAsync(Alert(), Token);
        Assert.Equal(OneAttempt, await time.NextWaitAsync());
        Assert.Equal(TimeSpan.FromSeconds(1), await time.NextWaitAsync());
        await using var server = new WebhookServer(_ => WebhookServer.Ok, port);
        time.Advance(TimeSpan.FromSeconds(1));
        await alerting.WaitAsync(RunningBus.Patience, Token);

        Assert.Equal(1, server.Received);
    }

    [Fact]
    public async Task Server_NeverAnswers_EveryAttemptEndsAtItsTimeout()
    {
        await using var server = new WebhookServer(_ => null);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        var alerting = webhook.NotifyAsync(Alert(), Token);
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            await server.NextAsync();
            Assert.Equal(OneAttempt, await time.NextWaitAsync());
            time.Advance(OneAttempt - TimeSpan.FromMilliseconds(1));
            Assert.False(alerting.IsCompleted);
            time.Advance(TimeSpan.FromMilliseconds(1));
            if (attempt < 3)
            {
                Assert.Equal(TimeSpan.FromSeconds(attempt), await time.NextWaitAsync());
                time.Advance(TimeSpan.FromSeconds(attempt));
            }
        }

        Assert.Equal("The webhook at 127.0.0.1 did not answer within 00:00:08.", (await FailureOfAsync(alerting)).Message);
        await server.ClientDisconnected;
    }

    [Fact]
    public async Task Server_NeverEndsItsAnswer_IsNotWaitedFor()
    {
        await using var server = new WebhookServer(_ => "200 OK\r\nContent-Length: 1000000");
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);

        await webhook.NotifyAsync(Alert(), Token).WaitAsync(RunningBus.Patience, Token);

        Assert.Equal(1, server.Received);
    }

    [Fact]
    public async Task Cancelled_WhileTheServerIsSilent_EndsAtOnce()
    {
        await using var server = new WebhookServer(_ => null);
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);
        using var stop = new CancellationTokenSource();

        var alerting = webhook.NotifyAsync(Alert(), stop.Token);
        await server.NextAsync();
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => alerting.WaitAsync(RunningBus.Patience, Token));
        await server.ClientDisconnected;
    }

    [Fact]
    public async Task Cancelled_WhileItWaitsForAnotherAttempt_EndsAtOnce()
    {
        await using var server = new WebhookServer(_ => "500 Internal Server Error");
        using var webhook = new WebhookNotifier(server.Url, new WebhookOptions(), time);
        using var stop = new CancellationTokenSource();

        var alerting = webhook.NotifyAsync(Alert(), stop.Token);
        Assert.Equal(OneAttempt, await time.NextWaitAsync());
        Assert.Equal(TimeSpan.FromSeconds(1), await time.NextWaitAsync());
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => alerting.WaitAsync(RunningBus.Patience, Token));
        Assert.Equal(1, server.Received);
    }

    private static DeadLetterAlert Alert(string? error = "Broken") => new(
        new DeadLetter
        {
            Id = "mail~1",
            Subscription = "mail",
            EventId = "1",
            EventName = "order.placed",
            Key = "k",
            Headers = new Dictionary<string, string>(),
            Reason = DeadLetterReason.HandlerFailed,
            Error = error,
            ErrorType = "System.IO.IOException",
            Attempts = 4,
            FirstFailedAt = DateTimeOffset.UnixEpoch,
            LastFailedAt = DateTimeOffset.UnixEpoch,
            Body = default,
        },
        ["mail~1"])
    { ServiceName = "shop", FindCall = FindCalls.OfDeadLetter("mail~1", "mail") };

    private static async Task<EventBusException> FailureOfAsync(Task alerting)
    {
        var failure = await Assert.ThrowsAsync<EventBusException>(() => alerting.WaitAsync(RunningBus.Patience, Token));

        // An inner exception would be logged with it, and contains the URL.
        Assert.Null(failure.InnerException);
        return failure;
    }

    /// <summary>Waits until an attempt has failed, and lets the backoff elapse.</summary>
    private async Task PassAttemptAsync(int seconds)
    {
        Assert.Equal(OneAttempt, await time.NextWaitAsync());
        Assert.Equal(TimeSpan.FromSeconds(seconds), await time.NextWaitAsync());
        time.Advance(TimeSpan.FromSeconds(seconds));
    }
}
