using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that each subscription has its own capacity in the in-memory store: a full one delays only itself.
/// </summary>
public sealed class CapacityTests : IDisposable
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Seen seen = new();
    private readonly LogMemory logs = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Marks_FillTheCapacityOfASubscription_OthersContinueAndItDoesOnceThereIsCapacity()
    {
        await using var running = await StartAsync(
            capacity: 10,
            mail => mail.Idempotent(options => options.Retention = TimeSpan.FromHours(1)),
            _ => Task.CompletedTask);
        await PublishAsync(running, 1, 11);
        await UntilAsync(
            () => logs.At(LogLevel.Error).Any(
                text => text.StartsWith("The store has no room for new data of mail", StringComparison.Ordinal)),
            "the subscription has no capacity");
        Assert.Equal(10, seen.Items.Count(item => item.StartsWith("mail", StringComparison.Ordinal)));
        Assert.Equal(HealthStatus.Degraded, await HealthAsync(running, "mail", "handled events"));

        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await UntilAsync(() => seen.Items.Contains("ship 1"), "the other subscription continues");
        Assert.DoesNotContain(logs.Entries, entry => entry.Text.StartsWith("The failure store did not accept", StringComparison.Ordinal));

        time.Advance(TimeSpan.FromHours(2));
        await UntilAsync(() => seen.Items.Contains("mail 11"), "there is room again");
        await UntilAsync(() => ReportAsync(running).Result.Status == HealthStatus.Healthy, "the health check knows it");
    }

    [Fact]
    public async Task Failures_FillTheCapacityOfASubscription_FailuresOfOthersAreStored()
    {
        await using var running = await StartAsync(
            capacity: 10,
            _ => { },
            _ => throw new InvalidDataException("never"),
            ship: _ => throw new InvalidDataException("never"));
        await PublishAsync(running, 1, 12);
        await UntilAsync(
            () => logs.At(LogLevel.Error).Any(
                text => text.StartsWith("The store has no room for new data of mail", StringComparison.Ordinal)),
            "the subscription has no capacity");
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await UntilAsync(() => seen.Items.Contains("ship 1"), "the other subscription continues");
        await UntilAsync(
            () => logs.At(LogLevel.Critical).Any(text => text.StartsWith("ship", StringComparison.Ordinal)),
            "its failure is kept");

        Assert.Equal(HealthStatus.Degraded, await HealthAsync(running, "mail", "failed and waiting events"));
        var letter = (await running.DeadLetters.ListAsync(new DeadLetterFilter { Subscription = "mail" }, Token))[0];
        await running.DeadLetters.DiscardAsync(letter.Id, "enough", Token);
        await UntilAsync(
            () => logs.At(LogLevel.Critical).Count(text => text.StartsWith("mail", StringComparison.Ordinal)) == 11,
            "the room is used");
    }

    /// <summary>A retry that becomes a dead letter needs no capacity, and a successful retry frees some.</summary>
    [Fact]
    public async Task Retries_OfAFullSubscription_ContinueAndFreeCapacity()
    {
        var isFixed = false;
        var handled = new Seen();
        await using var running = await StartAsync(capacity: 5, _ => { }, e =>
        {
            if (!isFixed)
            {
                throw new IOException("down");
            }

            handled.Add(e.OrderId);
            return Task.CompletedTask;
        });
        await PublishAsync(running, 1, 8);
        await UntilAsync(
            () => logs.At(LogLevel.Error).Any(
                text => text.StartsWith("The store has no room for new data of mail", StringComparison.Ordinal)),
            "the subscription has no capacity");

        isFixed = true;
        await UntilAsync(() => handled.Items.Distinct().Count() == 8, "all are handled");

        // Writes that wait for capacity are repeated by time, so the clock must advance.
        var idle = running.WhenIdleAsync();
        await UntilAsync(() => idle.IsCompleted, "nothing waits");
        await idle;
        Assert.Equal(0, await running.DeadLetters.CountAsync(null, Token));
    }

    [Theory]
    [InlineData(true, "handled events")]
    [InlineData(false, "failed and waiting events")]
    public async Task Capacity_UsedTo80Percent_IsAWarningAndDegradedHealthThatNamesTheCause(bool idempotent, string what)
    {
        await using var running = await StartAsync(
            capacity: 10,
            mail => _ = idempotent ? mail.Idempotent() : mail,
            _ => idempotent ? Task.CompletedTask : throw new InvalidDataException("never"));
        await PublishAsync(running, 1, 7);
        await running.WhenIdleAsync();
        Assert.Equal(HealthStatus.Healthy, (await ReportAsync(running)).Status);
        Assert.DoesNotContain(logs.At(LogLevel.Warning), text => text.StartsWith("The in-memory store holds", StringComparison.Ordinal));

        await PublishAsync(running, 8, 9);
        await running.WhenIdleAsync();
        Assert.Equal(
            $"The in-memory store holds 8 {what} of mail, and has room for 10.",
            Assert.Single(logs.At(LogLevel.Warning), text => text.StartsWith(
                "The in-memory store holds",
                StringComparison.Ordinal))[..($"The in-memory store holds 8 {what} of mail, and has room for 10.".Length)]);
        Assert.Equal(HealthStatus.Degraded, await HealthAsync(running, "mail", what));
    }

    public void Dispose() => logs.Dispose();

    private static async Task PublishAsync(RunningBus running, int first, int last)
    {
        for (var i = first; i <= last; i++)
        {
            await running.Bus.PublishAsync(new OrderPlaced($"{i}"), Token);
        }
    }

    private static async Task<HealthReportEntry> ReportAsync(RunningBus running) =>
        (await running.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Entries.Single().Value;

    private static async Task<HealthStatus> HealthAsync(RunningBus running, params string[] named)
    {
        var report = await ReportAsync(running);
        Assert.All(named, name => Assert.Contains(name, report.Description, StringComparison.Ordinal));
        return report.Status;
    }

    private Task<RunningBus> StartAsync(
        int capacity,
        Action<SubscriptionBuilder> configure,
        Func<OrderPlaced, Task> mail,
        Func<OrderShipped, Task>? ship = null) => RunningBus.StartAsync(
        bus => bus.UseInMemory(options => options.StoreCapacity = capacity)
            .DeadLetterOn<InvalidDataException>()
            .Configure(options => (options.Retry.Jitter, options.DrainTimeout) = (0, TimeSpan.Zero))
            .Subscribe("mail", s =>
            {
                s.On<OrderPlaced>((e, _, _) =>
                {
                    seen.Add($"mail {e.OrderId}");
                    return mail(e);
                });
                configure(s);
            })
            .Subscribe<OrderShipped>("ship", (e, _, _) =>
            {
                seen.Add($"ship {e.OrderId}");
                return ship?.Invoke(e) ?? Task.CompletedTask;
            }),
        time,
        services => services.AddSingleton<ILoggerProvider>(logs).AddLogging().AddHealthChecks());

    private Task UntilAsync(Func<bool> condition, string reason) => time.AdvanceUntilAsync(
        TimeSpan.FromMilliseconds(100),
        () => $"{reason}. {string.Join('\n', logs.Entries)}",
        () => Task.FromResult(condition()),
        Token);
}
