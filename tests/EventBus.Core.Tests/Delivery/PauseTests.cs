using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests subscriptions that pause when all attempts fail.</summary>
public sealed class PauseTests : IDisposable
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly FakeTimeProvider time = new();
    private readonly Journal starts = new();
    private readonly LogMemory logs = new();
    private volatile bool up;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pause_EveryAttemptFails_StopsTheIntakeDegradesHealthAndResumesAfterAProbe(bool ordered)
    {
        await using var running = await StartAsync(s => Mail(s, ordered).Concurrency(1).CircuitBreaker(3, Minute));
        await PublishAsync(running, 10);
        await UntilAsync(async () => await HealthAsync(running) == HealthStatus.Degraded, "the subscription is paused");
        await UntilAsync(() => logs.At(LogLevel.Error).Any(), "the pause is logged");

        var report = await running.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token);
        Assert.Contains("mail", report.Entries["eventbus"].Description, StringComparison.Ordinal);
        Assert.Contains("mail", Assert.Single(logs.At(LogLevel.Error)), StringComparison.Ordinal);
        await starts.UntilAsync(items => items.Count == 3, "three starts failed");

        // The first probe is a due retry, and does not increase the count.
        time.Advance(TimeSpan.FromSeconds(30));
        await starts.UntilAsync(items => items.Count == 4, "the first probe ran");
        Assert.Equal(["0:1", "1:1", "2:1", "0:2"], starts.Items);
        await UntilAsync(
            () => logs.At(LogLevel.Warning).Count(text => text.Contains("failed to handle", StringComparison.Ordinal)) == 4,
            "the failed probe is recorded");

        up = true;
        await UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return HasContinued();
            },
            "the second probe succeeds");
        Assert.Equal("3:1", starts.Items[4]);
        await running.PassAsync(time, Minute);

        Assert.Equal(
            Enumerable.Range(0, 10).Select(i => $"{i}"),
            starts.Items.Skip(4).Select(item => item.Split(':')[0]).Distinct().Order());
        Assert.Contains("0:2", starts.Items.Skip(4));
        Assert.Equal(HealthStatus.Healthy, await HealthAsync(running));
        Assert.Single(logs.At(LogLevel.Information), IsResumed);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pause_ServerIsDownForAnHour_CreatesNoDeadLetters(bool ordered)
    {
        await using var running = await StartAsync(s => Mail(s, ordered).CircuitBreaker(5, Minute));
        await PublishAsync(running, 100);
        await UntilAsync(() => IsPaused(running), "the subscription is paused");
        var end = time.GetUtcNow() + TimeSpan.FromHours(1);
        await time.AdvanceUntilAsync(TimeSpan.FromSeconds(10), "an hour has passed", () => time.GetUtcNow() >= end, Token);

        // The events in flight when the pause began, and the probes after 30 s, 1, 2, 4 and then every 5 minutes.
        Assert.InRange(starts.Items.Count, 5, 16 + 16);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));

        up = true;
        await UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));
                return starts.Items.Select(item => item.Split(':')[0]).Distinct().Count() == 100 && !IsPaused(running);
            },
            "all events were started");
        await running.PassAsync(time, TimeSpan.FromMinutes(10));

        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
        Assert.Empty(logs.At(LogLevel.Critical));
    }

    [Fact]
    public async Task Pause_OneEventCanNeverSucceed_BlocksNoOtherAndBecomesADeadLetter()
    {
        up = true;
        await using var running =
            await StartAsync(s => Mail(s, ordered: false, item => item == "bad").Concurrency(1).CircuitBreaker(1, Minute));
        await running.Bus.PublishAsync(new OrderPlaced("bad"), Token);
        await UntilAsync(() => IsPaused(running), "the subscription is paused");
        var published = 0;
        await UntilAsync(
            async () =>
            {
                await running.Bus.PublishAsync(new OrderPlaced($"{published++}"), Token);
                time.Advance(TimeSpan.FromSeconds(10));
                return await running.DeadLetters.CountAsync(cancellationToken: Token) == 1;
            },
            "the bad event is dead");

        Assert.Contains("bad:4", starts.Items);
        Assert.Contains(starts.Items, item => !item.StartsWith("bad", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Pause_FailuresArePermanent_DoesNotPauseAndRecordsDeadLetters()
    {
        await using var running = await StartAsync(s => Mail(s, ordered: false).DeadLetterOn<IOException>().CircuitBreaker(2, Minute));
        await PublishAsync(running, 10);
        await running.WhenIdleAsync();

        Assert.False(IsPaused(running));
        Assert.Equal(10, await running.DeadLetters.CountAsync(new DeadLetterFilter { Reason = DeadLetterReason.PermanentFailure }, Token));
    }

    [Fact]
    public async Task CircuitBreaker_OfTheBus_AppliesToSubscriptionsWithoutTheirOwn()
    {
        await using var running = await StartAsync(
            s => Mail(s, ordered: false),
            bus => bus.CircuitBreaker(3, Minute)
                .Subscribe("stock", s => s.CircuitBreaker(0, Minute).Concurrency(1).On<OrderPlaced>((_, _, _) => throw new IOException())));
        await PublishAsync(running, 20);
        await UntilAsync(() => IsPaused(running), "the subscription is paused");

        Assert.False(IsPaused(running, "stock"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Stop_InMemoryWhilePaused_HandlesTheQueueAndEnds(bool ordered)
    {
        await using var running = await StartAsync(s => Mail(s, ordered).Concurrency(1).CircuitBreaker(3, Minute));
        await PublishAsync(running, 10);
        await UntilAsync(() => IsPaused(running), "the subscription is paused");

        await running.StopAsync().WaitAsync(RunningBus.Patience, Token);

        Assert.Equal(10, starts.Items.Count);
    }

    [Fact]
    public async Task Stop_OfADurableQueueWhilePaused_StartsNoFurtherAttempt()
    {
        var queue = new ScriptedQueue(time, TimeSpan.FromSeconds(30), TimeSpan.FromHours(1));
        await using var running = await StartAsync(
            s => Mail(s, ordered: false).Concurrency(1).CircuitBreaker(3, Minute),
            bus => bus.UseTransport("Scripted()", _ => queue).StoreInMemory(),
            inMemory: false);
        await PublishAsync(running, 10);
        await UntilAsync(() => IsPaused(running), "the subscription is paused");
        await queue.Events.UntilAsync(items => items.Count == 3, "the failures are recorded");

        await running.StopAsync().WaitAsync(RunningBus.Patience, Token);

        Assert.Equal(3, starts.Items.Count);
        Assert.Equal(3, queue.Events.Items.Count(item => item == "0 acknowledged"));
    }

    [Fact]
    public async Task Stop_OfADurableLogWhilePaused_ReleasesTheEventsOfItsPartitions()
    {
        var log = new ScriptedLog(1);
        var owner = log.Connect();
        await using var running = await StartAsync(
            s => Mail(s, ordered: true).Concurrency(2).CircuitBreaker(3, Minute),
            bus => bus.UseTransport("Scripted()", _ => owner).StoreInMemory(),
            inMemory: false);
        log.Assign(0, owner);
        await PublishAsync(running, 300);
        await UntilAsync(() => IsPaused(running), "the subscription is paused");
        await log.Commits.UntilAsync(items => items.Count >= 3, "the failures are recorded");

        await running.StopAsync().WaitAsync(RunningBus.Patience, Token);

        // The third failure pauses the subscription while an event of the other partition may enter its handler.
        var started = starts.Items.Count;
        Assert.InRange(started, 3, 4);
        Assert.True(log.Committed(0) <= started, $"{log.Committed(0)} of 300 are acknowledged, and {started} were started.");
    }

    [Fact]
    public async Task Probe_OfADeferredEvent_DoesNotWaitForItsOwnPartition()
    {
        await using var running = await StartAsync(s => s.Ordered().Concurrency(1).CircuitBreaker(2, Minute)
            .Sequenced<OrderShipped>(e => e.OrderId[0] - '0').On<OrderShipped>((_, _, _) => Task.CompletedTask)
            .On<OrderPlaced>((_, _, _) => throw new IOException()));
        await running.Bus.PublishAsync(new OrderShipped("2"), new PublishOptions { Key = "a" }, Token);
        await PublishAsync(running, 2);
        await UntilAsync(() => IsPaused(running), "the subscription is paused");
        await running.Bus.PublishAsync(new OrderShipped("1"), new PublishOptions { Key = "a" }, Token);

        await UntilAsync(
            () =>
            {
                time.Advance(TimeSpan.FromSeconds(1));

                // The other events still fail, so that the next pause may have begun by now.
                return HasContinued();
            },
            "a probe that stands in no line succeeds, and the subscription is resumed");
    }

    public void Dispose() => logs.Dispose();

    private static bool IsPaused(RunningBus running, string subscription = "mail") =>
        new BusStatus(((BusClient)running.Bus).Running()).PausedSubscriptions.Contains(subscription);

    private static bool IsResumed(string text) => text.Contains("is resumed", StringComparison.Ordinal);

    private bool HasContinued() => logs.At(LogLevel.Information).Any(IsResumed);

    private static async Task<HealthStatus> HealthAsync(RunningBus running) =>
        (await running.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Status;

    private static async Task PublishAsync(RunningBus running, int count)
    {
        foreach (var id in Enumerable.Range(0, count))
        {
            await running.Bus.PublishAsync(new OrderPlaced($"{id}"), new PublishOptions { EventId = $"{id}", Key = $"{id}" }, Token);
        }
    }

    private Task UntilAsync(Func<bool> condition, string reason) => UntilAsync(() => Task.FromResult(condition()), reason);

    private Task UntilAsync(Func<Task<bool>> condition, string reason) => Until.TrueAsync(
        () => $"{reason}. {string.Join("\n", logs.Entries.TakeLast(25))} {time.GetUtcNow()}",
        Until.Patience,
        condition,
        Token);

    private SubscriptionBuilder Mail(SubscriptionBuilder subscription, bool ordered, Func<string, bool>? fails = null)
    {
        subscription = ordered ? subscription.Ordered() : subscription;
        return subscription.On<OrderPlaced>((e, context, _) =>
        {
            starts.Add($"{e.OrderId}:{context.Attempt}");
            return up && fails?.Invoke(e.OrderId) != true ? Task.CompletedTask : throw new IOException("mail server down");
        });
    }

    private Task<RunningBus> StartAsync(
        Func<SubscriptionBuilder, SubscriptionBuilder> mail,
        Action<EventBusBuilder>? more = null,
        bool inMemory = true) =>
        RunningBus.StartAsync(
            bus =>
            {
                bus = inMemory ? bus.UseInMemory() : bus;
                bus.Configure(o => o.Retry.Jitter = 0).Subscribe("mail", s => mail(s));
                more?.Invoke(bus);
            },
            time,
            services => services.AddLogging(logging => logging.AddProvider(logs)).AddHealthChecks());
}
