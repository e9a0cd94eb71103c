using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class RetryTests
{
    private readonly FakeTimeProvider time = new();
    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Handler_KeepsFailing_HasThreeRetriesOneDeadLetterAndOneAlert()
    {
        using var logs = new LogMemory();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Configure(NoJitter).AddAlert<Alert>().Subscribe<OrderPlaced>("mail", (_, context, _) =>
            {
                seen.Add($"start {context.Attempt}");
                throw new InvalidOperationException("mail server down");
            }),
            time,
            services => services.AddSingleton(seen).AddLogging(logging => logging.AddProvider(logs)));

        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "e1" }, Token);
        await running.WhenIdleAsync();
        foreach (var (delay, starts) in new[] { (5, 2), (25, 3), (125, 4) })
        {
            await running.PassAsync(time, TimeSpan.FromSeconds(delay) - TimeSpan.FromMilliseconds(1));
            Assert.Equal(starts - 1, seen.Items.Count);
            await running.PassAsync(time, TimeSpan.FromMilliseconds(1));
            Assert.Equal(starts, seen.Items.Count(item => item.StartsWith("start", StringComparison.Ordinal)));
        }

        Assert.Equal(["start 1", "start 2", "start 3", "start 4", "alert mail~e1"], seen.Items);
        var dead = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal(
            ("mail~e1", "mail", "e1", "order.placed", DeadLetterReason.HandlerFailed, 4),
            (dead.Id, dead.Subscription, dead.EventId, dead.EventName, dead.Reason, dead.Attempts));
        Assert.Equal("System.InvalidOperationException: mail server down", dead.Error);
        Assert.Contains("   at ", dead.ErrorDetails, StringComparison.Ordinal);
        Assert.Equal("""{"orderId":"1","total":1}""", Encoding.UTF8.GetString(dead.Body.Span));
        Assert.Single(logs.At(LogLevel.Critical));
    }

    [Fact]
    public async Task Retry_OfASubscription_OverridesOnlyTheSetValues()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Configure(NoJitter)
                .Retry(3, TimeSpan.FromMinutes(1))
                .Subscribe("mail", s => s.Retry(1).On<OrderPlaced>((_, context, _) =>
                {
                    seen.Add($"start {context.Attempt}");
                    throw new IOException();
                })),
            time);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromSeconds(59));
        Assert.Equal(["start 1"], seen.Items);
        await running.PassAsync(time, TimeSpan.FromSeconds(1));

        Assert.Equal(["start 1", "start 2"], seen.Items);
        Assert.Equal(1, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Handler_FailsOnce_OnlyItsOwnSubscriptionRunsAgain()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Configure(NoJitter)
                .Subscribe<OrderPlaced>("good", (_, _, _) => Note("good"))
                .Subscribe<OrderPlaced>(
                    "shaky",
                    (_, context, _) => context.Attempt == 1 ? throw new TimeoutException() : Note($"shaky {context.Attempt}")),
            time);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromSeconds(5));

        Assert.Equal(["good", "shaky 2"], seen.Items);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    public static IEnumerable<TheoryDataRow<string>> WaysToThrow =>
        [new("sync"), new("async"), new("aggregate"), new("foreign cancellation"), new("null task")];

    [Theory]
    [MemberData(nameof(WaysToThrow))]
    public async Task Handler_ThrowsInAnyWay_IsRetried(string way)
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Configure(NoJitter)
                .Subscribe<OrderPlaced>("mail", (_, context, _) => context.Attempt > 1 ? Note("done") : way switch
                {
                    "sync" => throw new InvalidOperationException(),
                    "async" => Task.FromException(new InvalidOperationException()),
                    "aggregate" => throw new AggregateException(new IOException(), new TimeoutException()),
                    "foreign cancellation" => Task.FromCanceled(new CancellationToken(true)),
                    _ => null!,
                }),
            time);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();
        await running.PassAsync(time, TimeSpan.FromSeconds(5));

        Assert.Equal(["done"], seen.Items);
    }

    [Fact]
    public async Task Handler_ThrowsAPermanentException_IsADeadLetterAtOnce()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .DeadLetterOn<FormatException>()
                .Subscribe<OrderPlaced>("mail", (_, _, _) => throw new FormatException("no such address")), time);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await running.WhenIdleAsync();

        var dead = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal((DeadLetterReason.PermanentFailure, 1), (dead.Reason, dead.Attempts));
    }

    [Fact]
    public async Task Handler_NeverReturns_IsCountedAsFailedAndAbandoned()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Configure(NoJitter).Subscribe("stuck", s => s.On<OrderPlaced>((_, context, _) =>
            {
                seen.Add($"start {context.Attempt}");
                return context.Attempt == 1 ? new TaskCompletionSource().Task : Task.CompletedTask;
            }).HandlerTimeout(TimeSpan.FromSeconds(1)).Concurrency(1)),
            time);

        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await Until.TrueAsync("the handler is running", () => seen.Items.Count == 1, Token);
        await time.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            "the timeout, the grace and the retry delay have passed",
            () => seen.Items.Count == 2,
            Token);
        await running.WhenIdleAsync();

        Assert.Equal(["start 1", "start 2"], seen.Items);
    }

    [Fact]
    public async Task DeadLetter_Retried_RunsWithAllRetriesAndTheSameId()
    {
        var isFixed = false;
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Retry(0).Subscribe<OrderPlaced>(
                "mail",
                (_, context, _) => isFixed ? Note($"{context.EventId} {context.Attempt}") : throw new IOException()), time);
        await running.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "e1" }, Token);
        await running.WhenIdleAsync();

        isFixed = true;
        Assert.True(await running.DeadLetters.RetryAsync("mail~e1", Token));
        await running.WhenIdleAsync();

        Assert.Equal(["e1 1"], seen.Items);
        Assert.False(await running.DeadLetters.RetryAsync("mail~e1", Token));
        Assert.Null(await running.DeadLetters.FindAsync("mail~e1", Token));
    }

    [Fact]
    public async Task DeadLetters_ListCountDiscardAndRetryAll_FollowTheFilter()
    {
        var isFixed = false;
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Retry(0)
                .Subscribe<OrderPlaced>("mail", (e, _, _) => isFixed ? Note(e.OrderId) : throw new IOException())
                .Subscribe<OrderShipped>("stock", (_, _, _) => throw new IOException()),
            time);
        foreach (var id in new[] { "1", "2", "3" })
        {
            await running.Bus.PublishAsync(new OrderPlaced(id), new PublishOptions { EventId = id }, Token);
            await running.WhenIdleAsync();
        }

        await running.Bus.PublishAsync(new OrderShipped("4"), new PublishOptions { EventId = "4" }, Token);
        await running.WhenIdleAsync();
        var letters = running.DeadLetters;
        var mail = new DeadLetterFilter { Subscription = "mail" };

        Assert.Equal((4, 3), (await letters.CountAsync(cancellationToken: Token), await letters.CountAsync(mail, Token)));
        Assert.Equal(["3", "2", "1"], (await letters.ListAsync(mail, Token)).Select(letter => letter.EventId));
        var latest = Assert.Single(await letters.ListAsync(mail with { Take = 1 }, Token));
        Assert.Equal(
            ["2"],
            (await letters.ListAsync(mail with { Before = latest.Number, Take = 1 }, Token)).Select(letter => letter.EventId));
        Assert.Equal("4", Assert.Single(await letters.ListAsync(new DeadLetterFilter { EventName = "order.shipped" }, Token)).EventId);
        Assert.Empty(await letters.ListAsync(new DeadLetterFilter { Reason = DeadLetterReason.Unreadable }, Token));
        Assert.True(await letters.DiscardAsync("mail~2", "a test order", Token));
        Assert.False(await letters.DiscardAsync("mail~2", "a test order", Token));
        await Assert.ThrowsAsync<ArgumentException>(() => letters.DiscardAsync("mail~3", " ", Token));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => letters.ListAsync(new DeadLetterFilter { Take = 0 }, Token));

        isFixed = true;
        Assert.Equal(2, await letters.RetryAllAsync(mail, Token));
        await running.WhenIdleAsync();
        Assert.Equal(["1", "3"], seen.Items.Order());
        Assert.Equal(1, await letters.CountAsync(cancellationToken: Token));
    }

    [Fact]
    public async Task Alert_Fails_IsRetriedAndNeverBlocksTheBus()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Retry(0)
                .AddAlert<FlakyAlert>()
                .Subscribe<OrderPlaced>("mail", (e, _, _) => e.OrderId == "bad" ? throw new IOException() : Note("good")),
            time,
            services => services.AddSingleton(seen));

        await running.Bus.PublishAsync(new OrderPlaced("bad"), Token);
        await Until.TrueAsync("the first alert was tried", () => seen.Items.Contains("alert fails"), Token);
        await running.Bus.PublishAsync(new OrderPlaced("good"), Token);
        await Until.TrueAsync("an event is handled while the alert waits", () => seen.Items.Contains("good"), Token);
        await time.AdvanceUntilAsync(TimeSpan.FromSeconds(1), "the alert is tried again", () => seen.Items.Contains("alerted"), Token);

        Assert.Equal(["alert fails", "alerted", "good"], seen.Items.Order());
    }

    [Fact]
    public async Task Upcast_OldVersion_ReachesTheHandlerOfTheNew()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Upcast<InvoiceIssuedOld, InvoiceIssued>(old => new InvoiceIssued(old.Customer.Split(' ')[0], old.Customer.Split(' ')[1]))
            .Subscribe<InvoiceIssued>("books", (e, context, _) => Note($"{e.First}/{e.Last} v{context.EventVersion}")));

        await running.Bus.PublishAsync(new InvoiceIssuedOld("Ada Lovelace"), Token);
        await running.Bus.PublishAsync(new InvoiceIssued("Grace", "Hopper"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["Ada/Lovelace v1", "Grace/Hopper v2"], seen.Items);
    }

    [Fact]
    public async Task Upcast_Missing_IsADeadLetterThatNamesTheCall()
    {
        await using var running =
            await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<InvoiceIssued>("books", (_, _, _) => Note("handled")));

        await running.Bus.PublishAsync(new InvoiceIssuedOld("Ada Lovelace"), Token);
        await running.WhenIdleAsync();

        var dead = Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token));
        Assert.Equal((DeadLetterReason.UnknownEvent, 0), (dead.Reason, dead.Attempts));
        Assert.Contains("bus.Upcast", dead.Error, StringComparison.Ordinal);
    }

    private static void NoJitter(EventBusOptions options) => options.Retry.Jitter = 0;

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }

    private sealed class Alert(Seen seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Add($"alert {string.Join(' ', alert.Ids)}");
            return Task.CompletedTask;
        }
    }

    private sealed class FlakyAlert(Seen seen) : IDeadLetterNotifier
    {
        private bool failed;

        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            if (failed)
            {
                seen.Add("alerted");
                return Task.CompletedTask;
            }

            failed = true;
            seen.Add("alert fails");
            throw new HttpRequestException("no pager");
        }
    }
}
