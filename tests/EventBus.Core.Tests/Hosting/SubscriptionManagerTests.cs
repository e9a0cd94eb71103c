using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Shows that an operator can list, pause and resume subscriptions.</summary>
public sealed class SubscriptionManagerTests
{
    private readonly FakeTimeProvider time = new();
    private readonly List<string> seen = [];
    private Func<string, Task> handle = _ => Task.CompletedTask;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory, InlineData(false), InlineData(true)]
    public async Task Pause_OfASubscription_KeepsItsEventsUntilItIsResumed(bool ordered)
    {
        await using var running = await StartAsync(ordered);
        var manager = Manager(running);
        await PublishAsync(running, "1", "2");
        await running.WhenIdleAsync();

        await manager.PauseAsync("mail", Token);
        await manager.PauseAsync("mail", Token);
        await PublishAsync(running, "3", "4");
        await Until.TrueAsync("the other subscription has handled all events", () => Count("other") == 4, Token);
        Assert.Equal(2, Count("mail"));
        var health = await HealthAsync(running);
        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.Contains("mail", health.Description, StringComparison.Ordinal);

        await manager.ResumeAsync("mail", Token);
        await manager.ResumeAsync("mail", Token);
        await running.WhenIdleAsync();
        Assert.Equal(["mail 1", "mail 2", "mail 3", "mail 4"], Seen("mail"));
        Assert.Equal(HealthStatus.Healthy, (await HealthAsync(running)).Status);
    }

    [Fact]
    public async Task Pause_WhileARetryIsDue_RunsItAfterTheResume()
    {
        await using var running = await StartAsync(false);
        handle = _ => throw new InvalidOperationException("not yet");
        await PublishAsync(running, "1");

        // Waits until the failure is recorded, so that its retry is due after the time below.
        await running.WhenIdleAsync();
        Assert.Equal(1, Count("mail"));
        handle = _ => Task.CompletedTask;

        await Manager(running).PauseAsync("mail", Token);
        time.Advance(TimeSpan.FromMinutes(1));
        await PublishAsync(running, "2");
        await Until.TrueAsync("the other subscription has handled all events", () => Count("other") == 2, Token);
        Assert.Equal(1, Count("mail"));

        await Manager(running).ResumeAsync("mail", Token);
        await running.WhenIdleAsync();
        Assert.Equal(["mail 1", "mail 1", "mail 2"], Seen("mail").Order(StringComparer.Ordinal));
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Stop_DuringAPause_HandlesTheEventsOfAQueueThatEndsWithTheProcess(bool ordered)
    {
        await using var running = await StartAsync(ordered);
        await Manager(running).PauseAsync("mail", Token);
        await PublishAsync(running, "1");

        await running.StopAsync();

        Assert.Equal(["mail 1"], Seen("mail"));
        await Assert.ThrowsAsync<EventBusException>(() => Manager(running).ListAsync(Token));
    }

    [Fact]
    public async Task List_OfSubscriptions_ShowsEventsStateAndWaitingEntries()
    {
        await using var running = await StartAsync(false);
        await Manager(running).PauseAsync("mail", Token);
        await PublishAsync(running, "1", "2");
        await Until.TrueAsync("the other subscription has handled all events", () => Count("other") == 2, Token);

        var listed = await Manager(running).ListAsync(Token);

        Assert.Equal(["mail", "other"], listed.Select(info => info.Name));
        Assert.Equal(["order.placed"], listed[0].Events);
        Assert.Equal((true, null, 2L), (listed[0].IsPaused, listed[0].Problem, listed[0].Waiting));
        Assert.Equal((false, null, 0L), (listed[1].IsPaused, listed[1].Problem, listed[1].Waiting));
    }

    [Fact]
    public async Task List_CircuitBreakerIsOpen_ShowsIt()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .CircuitBreaker(1, TimeSpan.FromMinutes(1))
                .Subscribe<OrderPlaced>("mail", (_, _, _) => throw new InvalidOperationException("down")), time);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await Until.TrueAsync(
            "the subscription has a problem",
            async () => (await Manager(running).ListAsync(Token)).Single().Problem is not null,
            Token);

        Assert.Contains("circuit breaker", Assert.Single(await Manager(running).ListAsync(Token)).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pause_OfAnUnknownSubscription_NamesTheKnownOnes()
    {
        await using var running = await StartAsync(false);

        foreach (var call in new Func<string, CancellationToken, Task>[] { Manager(running).PauseAsync, Manager(running).ResumeAsync })
        {
            Assert.Contains(
                "'mail', 'other'",
                (await Assert.ThrowsAsync<ArgumentException>(() => call("unknown", Token))).Message,
                StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Manager_OfAKeyedBus_ManagesThatBusOnly()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask),
            services: services => services.AddKeyedEventBus(
                "billing",
                bus => bus.UseInMemory().Subscribe<OrderPlaced>("invoices", (_, _, _) => Task.CompletedTask)));

        var keyed = running.Services.GetRequiredKeyedService<ISubscriptionManager>("billing");

        Assert.Equal("invoices", Assert.Single(await keyed.ListAsync(Token)).Name);
        Assert.Equal("mail", Assert.Single(await Manager(running).ListAsync(Token)).Name);
    }

    private static ISubscriptionManager Manager(RunningBus running) => running.Services.GetRequiredService<ISubscriptionManager>();

    private static async Task<HealthReportEntry> HealthAsync(RunningBus running) =>
        (await running.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Entries["eventbus"];

    private static async Task PublishAsync(RunningBus running, params string[] ids)
    {
        foreach (var id in ids)
        {
            await running.Bus.PublishAsync(new OrderPlaced(id), Token);
        }
    }

    private int Count(string subscription) => Seen(subscription).Count;

    private List<string> Seen(string subscription)
    {
        lock (seen)
        {
            return [.. seen.Where(text => text.StartsWith(subscription, StringComparison.Ordinal))];
        }
    }

    private void Note(string text)
    {
        lock (seen)
        {
            seen.Add(text);
        }
    }

    private Task<RunningBus> StartAsync(bool ordered) => RunningBus.StartAsync(
        bus => bus.UseInMemory()
            .Subscribe<OrderPlaced>(
                "mail",
                (e, _, _) =>
                {
                    Note($"mail {e.OrderId}");
                    return handle(e.OrderId);
                },
                mail => _ = ordered ? mail.Ordered() : mail.Concurrency(1))
            .Subscribe<OrderPlaced>("other", (e, _, _) =>
            {
                Note($"other {e.OrderId}");
                return Task.CompletedTask;
            }),
        time,
        services => services.AddLogging().AddHealthChecks());
}
