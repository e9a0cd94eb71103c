using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Shows that an event is acknowledged only after it was handled or after its failure was recorded.</summary>
public sealed class SettlementTests : IDisposable
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Journal handled = new();
    private readonly LogMemory logs = new();
    private readonly ScriptedQueue queue;

    public SettlementTests() => queue = new ScriptedQueue(time, visibility: TimeSpan.FromHours(1), maxHandling: TimeSpan.FromHours(9));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Handler_StillRuns_NothingIsAcknowledged()
    {
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var running = await StartAsync(capacity: 10, _ => finish.Task);
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await handled.HasAsync("start 1");
        Assert.Empty(queue.Events.Items);

        finish.SetResult();
        await queue.Events.HasAsync("0 acknowledged");
        Assert.Single(queue.Events.Items);
    }

    [Fact]
    public async Task Handler_Fails_IsRecordedAndAcknowledgedOnceInsteadOfReleased()
    {
        await using var running = await StartAsync(capacity: 10, _ => throw new IOException("down"));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await queue.Events.UntilAsync(events => events.Count > 0, "the event is settled");

        Assert.Equal(["0 acknowledged"], queue.Events.Items);
        Assert.Equal(["start 1"], handled.Items);
    }

    /// <summary>
    /// The store has capacity for one entry: the failure of the second event can be recorded after the first event has
    /// succeeded.
    /// </summary>
    [Fact]
    public async Task Handler_FailsAndTheStoreRefuses_NothingIsAcknowledgedUntilItIsRecorded()
    {
        var isFixed = false;
        await using var running = await StartAsync(capacity: 1, _ => isFixed ? Task.CompletedTask : throw new IOException("down"));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await queue.Events.HasAsync("0 acknowledged");
        await running.Bus.PublishAsync(new OrderPlaced("2"), Token);
        await Until.TrueAsync(
            "the store has refused a write",
            () => logs.Entries.Any(entry => entry.Text.StartsWith("The store has no room for new data of mail", StringComparison.Ordinal)),
            Token);
        Assert.Single(queue.Events.Items);

        isFixed = true;
        await time.AdvanceUntilAsync(
            TimeSpan.FromSeconds(1),
            "the second event is acknowledged",
            () => queue.Events.Items.Count(item => item == "0 acknowledged") == 2,
            Token);
        Assert.DoesNotContain(queue.Events.Items, item => item.Contains("released", StringComparison.Ordinal));
    }

    public void Dispose() => logs.Dispose();

    private Task<RunningBus> StartAsync(int capacity, Func<OrderPlaced, Task> handle) => RunningBus.StartAsync(
        bus => bus.UseTransport("Scripted()", _ => queue)
            .UseStores(_ => new TestBusStores("small", durable: false, failures: new InMemoryFailureStore(capacity)))
                .Configure(options => options.Retry.Jitter = 0)
                .Subscribe<OrderPlaced>("mail", (e, _, _) =>
                {
                    handled.Add($"start {e.OrderId}");
                    return handle(e);
                }),
        time,
        services => services.AddSingleton<ILoggerProvider>(logs));
}
