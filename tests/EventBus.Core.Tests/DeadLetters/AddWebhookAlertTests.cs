using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed class AddWebhookAlertTests
{
    private const string Refused = "400 Bad Request";

    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Webhook_RefusesAtFirst_GetsTheAlertAgainWithTheSameIdAndNoOtherDoes()
    {
        await using var unstable = new WebhookServer(number => number == 1 ? Refused : WebhookServer.Ok);
        await using var stable = new WebhookServer(_ => WebhookServer.Ok);
        await using var running = await StartAsync(
            bus => bus.AddWebhookAlert(unstable.Url).AddWebhookAlert(stable.Url).Configure(options => options.ServiceName = "shop"));

        await running.Bus.PublishAsync(new OrderPlaced("bad"), new PublishOptions { EventId = "1" }, Token);
        var (first, again) = (await unstable.NextAsync(), await unstable.NextAsync());
        await running.WhenIdleAsync();

        Assert.Contains("\"firstId\":\"mail~1\",\"ids\":[\"mail~1\"]", first.Body, StringComparison.Ordinal);
        Assert.Contains("\"service\":\"shop\"", first.Body, StringComparison.Ordinal);
        Assert.Equal(first.Body, again.Body);
        Assert.Equal((2, 1), (unstable.Received, stable.Received));
    }

    [Fact]
    public async Task Webhook_Hangs_BlocksNeitherEventsNorOtherAlertsNorTheStop()
    {
        await using var server = new WebhookServer(_ => null);
        var running = await StartAsync(
            bus => bus.AddWebhookAlert(server.Url, webhook => webhook.Timeout = TimeSpan.FromSeconds(30))
                .AddAlert<RecordingAlert>()
                .Configure(options => options.DrainTimeout = TimeSpan.FromMilliseconds(100)),
            services => services.AddSingleton(seen));

        await running.Bus.PublishAsync(new OrderPlaced("bad"), new PublishOptions { EventId = "1" }, Token);
        await server.NextAsync();
        await running.Bus.PublishAsync(new OrderPlaced("bad"), new PublishOptions { EventId = "2" }, Token);
        await running.Bus.PublishAsync(new OrderPlaced("good"), Token);
        await Until.TrueAsync(
            "an event is handled and another alert is sent",
            () => seen.Items.Contains("good") && seen.Items.Contains("alert mail~1"),
            Token);
        await running.DisposeAsync().AsTask().WaitAsync(RunningBus.Patience, Token);

        // Calls run one at a time: the second dead letter waited for the first.
        await server.ClientDisconnected;
        Assert.Equal(1, server.Received);
    }

    [Theory]
    [InlineData(Refused)]
    [InlineData("302 Found\r\nLocation: /other?key=S3CRET")]
    [InlineData("500 S3CRET\r\nRetry-After: 60")]
    [InlineData("no HTTP: S3CRET")]
    [InlineData("")]
    public async Task Webhook_Fails_NoSecretIsLoggedOrTraced(string answer)
    {
        using var log = new WholeLog();
        using var traces = Listen(log);
        var isRepaired = false;
        await using var server = new WebhookServer(_ => Volatile.Read(ref isRepaired) ? WebhookServer.Ok : answer);
        await using var running = await StartAsync(
            bus => bus.AddWebhookAlert(
                new Uri($"{server.Url}/S3CRET?key=S3CRET#S3CRET"),
                webhook => webhook.Headers["Authorization"] = "Bearer S3CRET"),
            services => services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Trace).AddProvider(log)));

        await running.Bus.PublishAsync(new OrderPlaced("bad"), Token);
        await Until.TrueAsync(
            "the failed alert is logged",
            () => log.Lines.Any(line => line.Contains("The alert", StringComparison.Ordinal)),
            Token);

        // The stop makes one more attempt.
        Volatile.Write(ref isRepaired, true);
        await running.StopAsync();
        Assert.Contains(
            "The webhook at 127.0.0.1",
            log.Lines.First(line => line.Contains("The alert", StringComparison.Ordinal)),
            StringComparison.Ordinal);
        Assert.DoesNotContain(log.Lines, line => line.Contains("S3CRET", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("/hooks/S3CRET", "no absolute http or https address")]
    [InlineData("ftp://files.example.com/S3CRET", "no absolute http or https address")]
    [InlineData("http://pager.example.com/S3CRET", "pager.example.com would be called by plain http")]
    [InlineData("https://S3CRET:S3CRET@pager.example.com/S3CRET", "Authorization")]
    [InlineData("https://pager.example.com/S3CRET", "00:00:00.01 to 00:00:30", 31)]
    [InlineData("https://pager.example.com/S3CRET", "'Content-Type'", 8, "Content-Type")]
    [InlineData("https://pager.example.com/S3CRET", "'X-Größe'", 8, "X-Größe")]
    [InlineData("https://pager.example.com/S3CRET", "'X-Key'", 8, "X-Key", "S3CRET\r\nX-Other: S3CRET")]
    [InlineData("https://pager.example.com/S3CRET", "'X-Key'", 8, "X-Key", "S3CRET ß")]
    public async Task Start_InvalidWebhook_NamesTheFixAndNoSecret(
        string url,
        string expected,
        int timeout = 8,
        string? header = null,
        string value = "S3CRET")
    {
        var problem = (await Assert.ThrowsAsync<EventBusConfigurationException>(
            () => StartAsync(bus => bus.AddWebhookAlert(new Uri(url, UriKind.RelativeOrAbsolute), webhook =>
            {
                webhook.Timeout = TimeSpan.FromSeconds(timeout);
                if (header is not null)
                {
                    webhook.Headers[header] = value;
                }
            })))).ToString();

        Assert.Contains(expected, problem, StringComparison.Ordinal);
        Assert.DoesNotContain("S3CRET", problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://pager.example.com/hooks/1", false)]
    [InlineData("http://localhost/hooks/1", false)]
    [InlineData("http://pager.example.com/hooks/1", true)]
    public async Task Start_ValidWebhook_Starts(string url, bool allowInsecure)
    {
        await using var running =
            await StartAsync(bus => bus.AddWebhookAlert(new Uri(url), webhook => webhook.AllowInsecure = allowInsecure));

        Assert.NotNull(running.Bus);
    }

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure, Action<IServiceCollection>? services = null) =>
        RunningBus.StartAsync(
            bus => configure(bus.UseInMemory().Retry(0).Subscribe<OrderPlaced>("mail", (e, _, _) =>
            {
                seen.Add(e.OrderId);
                return e.OrderId == "bad" ? throw new IOException("no mail server") : Task.CompletedTask;
            })),
            services: services);

    /// <summary>Logs each trace that ends.</summary>
    private static ActivityListener Listen(WholeLog log)
    {
        var listener = new ActivityListener
        {
            ShouldListenTo = _ => true,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity => log.Write($"{activity.DisplayName} {string.Join(' ', activity.TagObjects)}"),
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    private sealed class RecordingAlert(Seen seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Add($"alert {string.Join(' ', alert.Ids)}");
            return Task.CompletedTask;
        }
    }

    /// <summary>
    /// Records everything that a log can show: texts, values and exceptions with their inner exceptions.
    /// </summary>
    private sealed class WholeLog : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> lines = new();

        public IReadOnlyCollection<string> Lines => lines;

        public void Write(string line) => lines.Enqueue(line);

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            Write($"{state}");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            var values = state is IEnumerable<KeyValuePair<string, object?>> pairs ? string.Join(' ', pairs) : "";
            Write($"{formatter(state, exception)} {values} {exception}");
        }

        public void Dispose()
        {
        }
    }
}
