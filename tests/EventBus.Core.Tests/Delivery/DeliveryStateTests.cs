using Microsoft.Extensions.Hosting;
using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

public sealed class DeliveryStateTests
{
    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Concurrency_Limit_IsReachedAndNeverExceeded()
    {
        var (running, most) = (0, 0);
        var full = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var bus = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe("limited", s => s.Concurrency(4).On<OrderPlaced>(async (_, _, token) =>
            {
                var now = Interlocked.Increment(ref running);
                InterlockedMax(ref most, now);
                if (now == 4)
                {
                    full.TrySetResult();
                }

                await full.Task.WaitAsync(token);
                Interlocked.Decrement(ref running);
            })));

        await bus.Bus.PublishManyAsync([.. Enumerable.Range(0, 50).Select(i => new OrderPlaced("x"))], cancellationToken: Token);
        await bus.WhenIdleAsync();

        Assert.Equal(4, most);
    }

    [Fact]
    public async Task Handlers_ThatBlockTheirThread_GetMoreThreads()
    {
        // Four handlers must run on four threads at once to pass the barrier.
        using var barrier = new Barrier(4);
        var first = true;
        await using var bus = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe("blocking", s => s.Concurrency(4).On<OrderPlaced>((e, _, token) =>
            {
                if (first)
                {
                    // One handler that blocks its thread makes the bus start helpers.
                    first = false;
                    SpinWait.SpinUntil(() => false, 20);
                    return Task.CompletedTask;
                }

                seen.Add(barrier.SignalAndWait(RunningBus.Patience, token) ? "met" : "alone");
                return Task.CompletedTask;
            })));

        await bus.Bus.PublishManyAsync([.. Enumerable.Range(0, 5).Select(i => new OrderPlaced("x"))], cancellationToken: Token);
        await bus.WhenIdleAsync();

        Assert.Equal(Enumerable.Repeat("met", 4), seen.Items);
    }

    [Fact]
    public async Task SubscribePattern_Wildcard_SeesNameEventAndBody()
    {
        await using var bus = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .SubscribePattern(
                "audit",
                "order.*",
                (context, _) => Note($"{context.EventName} {context.Event?.GetType().Name} {context.Body.Length > 2}")));

        await bus.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await bus.Bus.PublishAsync(new ReceiptSent("1"), Token);
        await bus.Bus.PublishAsync(new OrderShipped("1"), Token);
        await bus.WhenIdleAsync();

        Assert.Equal(["order.placed OrderPlaced True", "order.shipped OrderShipped True"], seen.Items);
    }

    [Fact]
    public async Task ContextPublish_HandlerFailsThenSucceeds_IsSentOnceWithTheSameId()
    {
        var time = new FakeTimeProvider();
        var ids = new ConcurrentBag<string>();
        await using var bus = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Subscribe<OrderPlaced>("receipts", async (e, context, token) =>
                {
                    await context.PublishAsync(new ReceiptSent(e.OrderId), cancellationToken: token);
                    Assert.Single(context.Published);
                    if (context.Attempt == 1)
                    {
                        throw new IOException();
                    }
                })
                .Subscribe<ReceiptSent>("archive", (e, context, _) =>
                {
                    ids.Add(context.EventId);
                    return Note($"{e.OrderId} {context.CorrelationId} {context.CausationId}");
                }),
            time);

        await bus.Bus.PublishAsync(new OrderPlaced("1"), new PublishOptions { EventId = "parent", CorrelationId = "process" }, Token);
        await bus.WhenIdleAsync();
        Assert.Empty(seen.Items);
        await bus.PassAsync(time, TimeSpan.FromSeconds(7));

        Assert.Equal(["1 process parent"], seen.Items);
        Assert.Equal(
            EventIds.Derive(bus.Services.GetRequiredService<IHostEnvironment>().ApplicationName, "parent", "receipts", 0).ToString("D"),
            Assert.Single(ids));
    }

    [Fact]
    public async Task Ordered_EventFails_HoldsBackItsOwnKeyOnly()
    {
        var time = new FakeTimeProvider();
        await using var bus = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseInMemory().Subscribe("fulfilment", s => s.Ordered().On<OrderPlaced>((e, context, _) =>
                    e.OrderId == "a1" && context.Attempt == 1 ? throw new IOException() : Note(e.OrderId)));
                bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId[..1]);
            },
            time);

        foreach (var id in new[] { "a1", "b1", "a2", "b2", "a3" })
        {
            await bus.Bus.PublishAsync(new OrderPlaced(id), Token);
        }

        await bus.WhenIdleAsync();
        Assert.Equal(["b1", "b2"], seen.Items);
        await bus.PassAsync(time, TimeSpan.FromSeconds(7));

        Assert.Equal(["b1", "b2", "a1", "a2", "a3"], seen.Items);
    }

    [Fact]
    public async Task Ordered_DeadLetter_BlocksItsKeyUntilAnOperatorDecides()
    {
        await using var bus = await RunningBus.StartAsync(bus => bus.UseInMemory().Retry(0).Configure(o => o.MaxParkedPerKey = 2)
            .Subscribe(
                "fulfilment",
                s => s.Ordered().On<OrderPlaced>((e, _, _) => e.OrderId == "1" ? throw new IOException() : Note(e.OrderId))));

        foreach (var id in new[] { "1", "2", "3", "4" })
        {
            await bus.Bus.PublishAsync(new OrderPlaced(id), new PublishOptions { Key = "k", EventId = id }, Token);
        }

        await bus.WhenIdleAsync();
        Assert.Empty(seen.Items);
        Assert.Equal(
            [("4", DeadLetterReason.KeyBlocked), ("1", DeadLetterReason.HandlerFailed)],
            (await bus.DeadLetters.ListAsync(cancellationToken: Token)).Select(d => (d.EventId, d.Reason)));

        await bus.DeadLetters.DiscardAsync("fulfilment~1", "a test", Token);
        await bus.WhenIdleAsync();
        Assert.Equal(["2", "3"], seen.Items);
        await bus.Bus.PublishAsync(new OrderPlaced("5"), new PublishOptions { Key = "k" }, Token);
        await bus.WhenIdleAsync();
        Assert.Equal(["2", "3"], seen.Items);
        await bus.DeadLetters.RetryAsync("fulfilment~4", Token);
        await bus.WhenIdleAsync();

        Assert.Equal(["2", "3", "4", "5"], seen.Items);
    }

    [Fact]
    public async Task Stop_WorkIsQueued_IsHandledFirst()
    {
        var bus =
            await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe("slow", s => s.Concurrency(1).On<OrderPlaced>(async (e, _, _) =>
            {
                await Task.Yield();
                await Note(e.OrderId);
            })));
        await bus.Bus.PublishManyAsync([.. Enumerable.Range(0, 100).Select(i => new OrderPlaced($"{i}"))], cancellationToken: Token);

        await bus.DisposeAsync();

        Assert.Equal(100, seen.Items.Count);
    }

    [Fact]
    public async Task Stop_HandlerHangs_IsBoundedAndReportsTheLostEvents()
    {
        using var logs = new LogMemory();
        var started = new TaskCompletionSource();
        var bus = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Configure(o => o.DrainTimeout = TimeSpan.FromMilliseconds(50))
                .Subscribe("stuck", s => s.Concurrency(1).On<OrderPlaced>((_, _, _) =>
                {
                    started.TrySetResult();
                    return new TaskCompletionSource().Task;
                })),
            services: services => services.AddLogging(logging => logging.AddProvider(logs)));
        await bus.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await bus.Bus.PublishAsync(new OrderPlaced("2"), Token);
        await started.Task.WaitAsync(RunningBus.Patience, Token);

        await bus.DisposeAsync().AsTask().WaitAsync(RunningBus.Patience, Token);

        Assert.Contains(logs.At(LogLevel.Error), text => text.StartsWith("2 deliveries", StringComparison.Ordinal));
        Assert.Contains(logs.At(LogLevel.Warning), text => text.Contains("drain timeout", StringComparison.Ordinal));
    }

    [Fact]
    public async Task TestContext_OfAHandler_HasTheGivenValuesAndThePublishedEvents()
    {
        var context = TestEventContext.Create(new TestEventContextOptions
        {
            EventId = "e",
            EventName = "order.placed",
            Key = "k",
            Headers = new Dictionary<string, string> { ["h"] = "v" },
            Attempt = 3,
        });

        await context.PublishAsync(new ReceiptSent("1"), cancellationToken: Token);

        Assert.Equal(("e", "order.placed", "k", "v", "e", "test", 3), (
            context.EventId,
            context.EventName,
            context.Key,
            context.Headers["h"],
            context.CorrelationId,
            context.Subscription,
            context.Attempt));
        Assert.Equal([new ReceiptSent("1")], context.Published);
        Assert.Throws<InvalidOperationException>(() => context.Services);
    }

    [Fact]
    public async Task WhenIdle_BusyBus_TimesOutAndNamesTheOpenWork()
    {
        var release = new TaskCompletionSource();
        await using var bus =
            await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe<OrderPlaced>("waiting", (_, _, _) => release.Task));
        await bus.Bus.PublishAsync(new OrderPlaced("1"), Token);

        var exception = await Assert.ThrowsAsync<TimeoutException>(() => bus.Bus.WhenIdleAsync(TimeSpan.FromMilliseconds(20), Token));
        release.SetResult();

        Assert.Contains(": 1 events are queued or in a handler", exception.Message, StringComparison.Ordinal);
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int current;
        while ((current = Volatile.Read(ref target)) < value && Interlocked.CompareExchange(ref target, value, current) != current)
        {
        }
    }

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }
}
