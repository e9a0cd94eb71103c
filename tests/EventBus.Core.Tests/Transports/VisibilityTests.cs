using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests the bus on a queue that redelivers events when their visibility timeout ends.</summary>
public sealed class VisibilityTests : IDisposable
{
    private static readonly TimeSpan Visibility = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan MaxHandling = TimeSpan.FromMinutes(2);

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Journal handled = new();
    private readonly LogMemory logs = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Visibility_EndsWhileTheHandlerRuns_IsRenewed()
    {
        var (queue, finish) = (new ScriptedQueue(time, Visibility, MaxHandling), new TaskCompletionSource());
        await using var running = await StartAsync(queue, (_, _) => finish.Task);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await handled.HasAsync("start 1");

        time.Advance(Visibility);
        time.Advance(Visibility);
        finish.SetResult();

        await queue.Events.HasAsync("0 acknowledged");
        Assert.Equal(["renewed", "renewed", "0 acknowledged"], queue.Events.Items);
        Assert.Equal(["start 1", "end 1"], handled.Items);
        AssertNothingFailed();
    }

    [Fact]
    public async Task Visibility_BeyondTheMaximum_CancelsTheHandlerAndTheEventIsHandledAgain()
    {
        var queue = new ScriptedQueue(time, Visibility, MaxHandling);
        await using var running = await StartAsync(
            queue,
            (start, token) => start == 1 ? new TaskCompletionSource().Task.WaitAsync(token) : Task.CompletedTask);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await handled.HasAsync("start 1");

        for (var passed = TimeSpan.Zero; passed < MaxHandling; passed += Visibility)
        {
            time.Advance(Visibility);
        }

        await queue.Events.HasAsync("1 acknowledged");
        await queue.Events.HasAsync("0 released with a stale receipt");
        Assert.Equal(["start 1", "start 2", "end 2"], handled.Items);
        AssertNothingFailed();
    }

    [Fact]
    public async Task Visibility_EndsUnnoticed_BothCopiesRunAndTheStaleReceiptSettlesNothing()
    {
        var (queue, finish) = (new ScriptedQueue(time, Visibility, MaxHandling) { RenewalsFail = true }, new TaskCompletionSource());
        await using var running = await StartAsync(queue, (start, _) => start == 1 ? finish.Task : Task.CompletedTask);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await handled.HasAsync("start 1");

        time.Advance(Visibility);
        await queue.Events.HasAsync("1 acknowledged");
        finish.SetResult();

        await queue.Events.HasAsync("0 acknowledged with a stale receipt");
        Assert.Equal(["start 1", "start 2", "end 2", "end 1"], handled.Items);
        AssertNothingFailed();
    }

    [Fact]
    public async Task Visibility_EndsUnnoticedInAnIdleQueue_NothingIsRedeliveredAfterTheAcknowledgement()
    {
        var queue = new ScriptedQueue(time, Visibility, MaxHandling) { RenewalsFail = true };
        await using var running = await StartAsync(queue, (_, _) => Task.CompletedTask);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await queue.Events.HasAsync("0 acknowledged");

        time.Advance(Visibility * 10);
        await running.Bus.PublishAsync(new OrderPlaced("2"), Token);
        await handled.HasAsync("end 2");

        Assert.Equal(["start 1", "end 1", "start 2", "end 2"], handled.Items);
    }

    [Fact]
    public async Task PublishMany_PartlyRefused_ReportsEachItemAndHoldsBackItsKey()
    {
        var queue = new ScriptedQueue(time, Visibility, MaxHandling);
        queue.Refusals["b1"] = PublishOutcome.Failed(new InvalidOperationException("Throttled."));
        queue.Refusals["c1"] = PublishOutcome.InDoubt(new TimeoutException("No answer."));
        await using var running = await StartAsync(queue, (_, _) => Task.CompletedTask);

        var publishing = running.Bus.PublishManyAsync(
            [.. new[] { "a1", "b1", "c1", "a2", "b2", "c2" }.Select(id => new OrderPlaced(id))],
            null,
            Token);
        time.Advance(new EventBusOptions().PublishTimeout * 2);
        var failure = await Assert.ThrowsAsync<PublishManyException>(() => publishing);

        Assert.Equal(
            [null, PublishFailure.Failed, PublishFailure.InDoubt, null, PublishFailure.Failed, PublishFailure.Failed],
            failure.Items.Select(item => item?.Failure));
        await queue.Events.UntilAsync(items => items.Count == 2, "the two accepted events are acknowledged");
    }

    public void Dispose() => logs.Dispose();

    private Task<RunningBus> StartAsync(ScriptedQueue queue, Func<int, CancellationToken, Task> handle)
    {
        var starts = 0;
        return RunningBus.StartAsync(
            bus =>
            {
                bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId[..1]);
                bus.UseTransport("Scripted()", _ => queue).StoreInMemory().Subscribe<OrderPlaced>("sub", async (_, _, token) =>
                {
                    var start = Interlocked.Increment(ref starts);
                    handled.Add($"start {start}");
                    await handle(start, token);
                    handled.Add($"end {start}");
                });
            },
            time,
            services => services.AddSingleton<ILoggerProvider>(logs));
    }

    /// <summary>Asserts that no retry was planned and no dead letter written: both are logged.</summary>
    private void AssertNothingFailed() => Assert.DoesNotContain(logs.Entries, entry => entry.Level > LogLevel.Information);
}
