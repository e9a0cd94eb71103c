using EventBus.Sagas;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Shows that alerts and critical log entries of a running bus name what operators need.</summary>
public sealed class AlertFactsTests : IDisposable
{
    private readonly FakeTimeProvider time = new();
    private readonly LogMemory logs = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => logs.Dispose();

    [Fact]
    public async Task Alert_OfAFailedHandler_NamesKeyTypeAndCallInAlertAndLog()
    {
        await using var running = await StartAsync(bus => bus
            .Configure(options => options.DeadLetterLink = "https://ops.example/{service}/{id}")
            .Retry(0));

        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "e1", Key = "order-7" }, Token);
        await running.WhenIdleAsync();

        var alert = await running.Services.GetRequiredService<AlertInbox>().NextAsync("a handler failed");
        Assert.Equal(
            "shop: mail failed for good on order.placed e1 (key order-7, 1 attempt, System.IO.IOException, HandlerFailed): "
                + "https://ops.example/shop/mail~e1",
            alert.Summary);
        Assert.Equal(("System.IO.IOException", "deadLetters.FindAsync(\"mail~e1\")"), (alert.First.ErrorType, alert.FindCall));
        var logged = Assert.Single(logs.At(LogLevel.Critical));
        Assert.StartsWith(
            "mail failed for good on order.placed e1 (key order-7, 1 attempts, System.IO.IOException, HandlerFailed); the event is kept as "
                + "dead letter mail~e1, shown by https://ops.example/shop/mail~e1: ",
            logged,
            StringComparison.Ordinal);
        Assert.Equal("System.IO.IOException", (await running.DeadLetters.FindAsync("mail~e1", Token))!.ErrorType);
    }

    [Fact]
    public async Task DeadLetter_WithoutALink_IsShownByTheCallInTheLog()
    {
        await using var running = await StartAsync(bus => bus.Retry(0));
        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "e1" }, Token);
        await running.WhenIdleAsync();

        Assert.Contains(
            "shown by deadLetters.FindAsync(\"mail~e1\"): ", Assert.Single(logs.At(LogLevel.Critical)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Alerts_OfThousands_AreOneLineEachWithTheSameFacts()
    {
        const int Count = 3_000;
        await using var running = await StartAsync(bus => bus.DeadLetterOn<IOException>());
        await running.Bus.PublishManyAsync(
            [.. Enumerable.Range(0, Count).Select(number => new OrderPlaced($"{number}"))],
            new PublishOptions { Key = "order-7" },
            Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, new EventBusOptions().AlertInterval);

        var inbox = running.Services.GetRequiredService<AlertInbox>();
        var alerts = new List<DeadLetterAlert>();
        while (alerts.Sum(alert => alert.Count) < Count)
        {
            alerts.Add(await inbox.NextAsync($"{alerts.Sum(alert => alert.Count)} of {Count} dead letters are reported"));
        }

        Assert.InRange(alerts.Count, 1, 10);
        Assert.All(alerts, alert => Assert.Matches(
            "^shop: mail failed for good on (?:[0-9]+ events, the first )?order\\.placed [^ ]+ \\(key order-7, 1 attempt, "
                + "System\\.IO\\.IOException, PermanentFailure\\): deadLetters\\.FindAsync\\(\"mail~[^\"]+\"\\)$",
            alert.Summary));
    }

    [Fact]
    public async Task Alert_OfASaga_NamesTheTypeOfTheFailedCompensation()
    {
        var script = new Script();
        script.Fail("+payment");
        script.Fail("-flight");
        await using var running = await script.StartTripsAsync(
            (saga, steps) =>
            {
                saga.Step("flight", steps, undo: true).Retry(0).RetryCompensation(0);
                saga.Step("payment", steps).Retry(0);
            },
            bus => bus.AddAlert<AlertInbox>().Configure(options => options.Sagas.Link = "https://ops.example/sagas/{id}"),
            services: services => services.AddLogging(logging => logging.AddProvider(logs)));
        await running.RunTripAsync();

        var alert = await running.Services.GetRequiredService<AlertInbox>().NextAsync("a saga needs attention");
        Assert.Equal(("System.InvalidOperationException", "sagas.FindAsync(\"trip-1\")"), (alert.First.ErrorType, alert.FindCall));
        Assert.EndsWith(
            "book-trip needs attention: trip-1 (1 attempt, System.InvalidOperationException, SagaNeedsAttention): "
                + "https://ops.example/sagas/trip-1",
            alert.Summary,
            StringComparison.Ordinal);
        Assert.Contains(
            " needs attention at flight, shown by https://ops.example/sagas/trip-1: ",
            Assert.Single(logs.At(LogLevel.Critical)),
            StringComparison.Ordinal);
        Assert.Equal("System.InvalidOperationException", (await running.Sagas().FindAsync("trip-1", Token))!.ErrorType);
    }

    [Fact]
    public async Task Pause_OfTheCircuitBreaker_NamesTheTypeOfTheLastError()
    {
        await using var running = await StartAsync(bus => bus.CircuitBreaker(1, TimeSpan.FromMinutes(1)));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);

        await Until.TrueAsync(
            "the pause is logged",
            () => logs.At(LogLevel.Error).Any(text => text.Contains("the last with System.IO.IOException", StringComparison.Ordinal)),
            Token);
    }

    [Theory]
    [InlineData("ops.example/{id}")]
    [InlineData("ftp://ops.example/{id}")]
    [InlineData("https://{service}.example/{id}")]
    [InlineData("https://ops.example/{key}")]
    [InlineData("https://ops.example/a b")]
    public async Task Start_LinkThatIsNoAddress_IsAMistakeThatNamesTheOption(string link)
    {
        var error = await Assert.ThrowsAsync<EventBusConfigurationException>(() => StartAsync(bus => bus.Configure(options =>
            (options.DeadLetterLink, options.Sagas.Link) = (link, link))));

        Assert.Contains("EventBusOptions.DeadLetterLink is ", error.Message, StringComparison.Ordinal);
        Assert.Contains("Link is ", error.Message, StringComparison.Ordinal);
    }

    private Task<RunningBus> StartAsync(Action<EventBusBuilder> configure) => RunningBus.StartAsync(
        bus =>
        {
            bus.UseInMemory().AddAlert<AlertInbox>().Configure(options => options.ServiceName = "shop");
            bus.Subscribe<OrderPlaced>("mail", (_, _, _) => throw new IOException("secret"));
            configure(bus);
        },
        time,
        services => services.AddLogging(logging => logging.AddProvider(logs)));
}
