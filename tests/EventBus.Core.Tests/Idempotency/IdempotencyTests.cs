using EventBus.Stores;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>Tests a subscription that handles each event once.</summary>
public sealed partial class IdempotencyTests
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Seen seen = new();
    private readonly TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource full = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>I3: ten copies of each event and eight concurrent handlers.</summary>
    [Fact]
    public async Task Idempotent_ConcurrentCopies_RunOnce()
    {
        const int Ids = 50, Copies = 10;
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe("points", s => s
            .On<OrderPlaced>(async (e, _, _) =>
            {
                await Task.Yield();
                seen.Add(e.OrderId);
            })
            .Idempotent().Concurrency(8)));
        var copies = Enumerable.Range(0, Ids * Copies).Select(i => $"{i % Ids}").ToArray();
        new Random(7).Shuffle(copies);
        foreach (var id in copies)
        {
            await PublishAsync(running, id);
        }

        await running.WhenIdleAsync();
        Assert.Equal(Enumerable.Range(0, Ids).Select(i => $"{i}").Order(), seen.Items.Order());
    }

    /// <summary>I3: a copy that arrives while the first one runs waits for it, and runs if it fails.</summary>
    [Fact]
    public async Task Idempotent_CopyWhileTheFirstRuns_WaitsAndRunsIfItFails()
    {
        var (began, fail) = (new TaskCompletionSource(), new TaskCompletionSource());
        var runs = 0;
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe("points", s => s
                .On<OrderPlaced>(async (_, _, _) =>
                {
                    if (Interlocked.Increment(ref runs) == 1)
                    {
                        began.SetResult();
                        await fail.Task;
                        throw new IOException("down");
                    }

                    seen.Add("credited");
                })
                .Idempotent()),
            time);
        await PublishAsync(running, "1");
        await began.Task;
        await PublishAsync(running, "1");
        Assert.Equal(1, runs);

        fail.SetResult();
        await running.WhenIdleAsync();
        Assert.Equal(["credited"], seen.Items);

        // The retry of the failed event is due, and finds that a copy was handled.
        await running.PassAsync(time, TimeSpan.FromSeconds(10));
        Assert.Equal((2, 1), (runs, seen.Items.Count));
    }

    /// <summary>
    /// An attempt that waits for the store has lent its slot to a copy, which waits for that attempt.
    /// </summary>
    [Fact]
    public async Task Idempotent_StoreDownAtTheCommitWhileACopyWaits_BothEnd()
    {
        var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var store = new ScriptedProcessedStore();
        var queue = new ScriptedQueue(TimeProvider.System, TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(2));
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseTransport("Scripted()", _ => queue).UseStores(_ => Stores(store)).Subscribe("points", s => s
                .On<OrderPlaced>(async (_, _, _) =>
                {
                    began.SetResult();
                    await finish.Task;
                    seen.Add("credited");
                })
                .Idempotent().Concurrency(1)));
        await PublishAsync(running, "1");
        await began.Task;
        await PublishAsync(running, "1");

        store.Down = true;
        finish.SetResult();
        await store.Refused;
        store.Down = false;

        await queue.Events.UntilAsync(items => items.Count == 2, "both copies are acknowledged");
        Assert.Equal(["credited"], seen.Items);
    }

    /// <summary>
    /// The claim is lost at the moment of the commit: a committed attempt has succeeded, and is not recorded as failed.
    /// </summary>
    [Fact]
    public async Task Idempotent_CancelledAfterItsCommit_Succeeds()
    {
        var store = new ScriptedProcessedStore();
        store.Completed = () => time.Advance(TimeSpan.FromMinutes(1));
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().UseStores(_ => Stores(store)).Retry(0).Subscribe("points", s => s
                .On<OrderPlaced>((_, _, _) => Note("credited"))
                .Idempotent().HandlerTimeout(TimeSpan.FromSeconds(10))),
            time);
        await PublishAsync(running, "1");

        await running.WhenIdleAsync();
        Assert.Equal(["credited"], seen.Items);
        Assert.Empty(await running.DeadLetters.ListAsync(cancellationToken: Token));
    }

    /// <summary>I4: an event that one subscription has handled is still new to another subscription.</summary>
    [Fact]
    public async Task Idempotent_TwoSubscriptions_BothHandleTheEvent()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Idempotent()
            .Subscribe<OrderPlaced>("points", (_, context, _) => Note(context.IdempotencyKey))
            .Subscribe<OrderPlaced>("mail", (_, context, _) => Note(context.IdempotencyKey)));
        await PublishAsync(running, "1");
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();

        Assert.Equal(["mail~1", "points~1"], seen.Items.Order());
    }

    /// <summary>I8, and a key that the application chooses: copies with new ids are recognised.</summary>
    [Fact]
    public async Task Idempotent_KeyedByTheEvent_RecognisesCopiesWithNewIds()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe("points", s => s
            .On<OrderPlaced>((e, _, _) => Note(e.OrderId)).Idempotent(options => options.KeyedBy<OrderPlaced>(e => e.OrderId))));
        await running.Bus.PublishManyAsync([new OrderPlaced("1"), new OrderPlaced("2"), new OrderPlaced("1")], cancellationToken: Token);
        await running.WhenIdleAsync();

        Assert.Equal(["1", "2"], seen.Items.Order());
    }

    /// <summary>
    /// Events of several types about one subject are not copies of one another, even if all of them have the same key.
    /// </summary>
    [Fact]
    public async Task Idempotent_SameKeyForTwoTypes_HandlesBothWithTheirOwnKeys()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Subscribe("points", s => s
            .On<OrderPlaced>((_, context, _) => Note(context.IdempotencyKey))
            .On<OrderShipped>((_, context, _) => Note(context.IdempotencyKey))
            .Idempotent(options => options.KeyedBy<OrderPlaced>(e => e.OrderId).KeyedBy<OrderShipped>(e => e.OrderId))));
        await running.Bus.PublishManyAsync([new OrderPlaced("1"), new OrderPlaced("1")], cancellationToken: Token);
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await running.WhenIdleAsync();

        Assert.Equal(["points~order.placed~1", "points~order.shipped~1"], seen.Items.Order());
    }

    /// <summary>D8: a retry is not skipped as already handled, and two retries handle the event once.</summary>
    [Fact]
    public async Task Idempotent_DeadLetterRetriedTwice_IsHandledOnce()
    {
        var isFixed = false;
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Retry(0).Subscribe("points", s => s
            .On<OrderPlaced>((e, context, _) => isFixed ? Note($"{e.OrderId} {context.IsManualRetry}") : throw new IOException("down"))
            .Idempotent()));
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();

        isFixed = true;
        Assert.True(await running.DeadLetters.RetryAsync("points~1", Token));
        await running.DeadLetters.RetryAsync("points~1", Token);
        await running.WhenIdleAsync();
        Assert.False(await running.DeadLetters.RetryAsync("points~1", Token));
        Assert.Equal(["1 True"], seen.Items);
    }

    /// <summary>I8: one id for two different events is an error of the publisher, and is reported.</summary>
    [Fact]
    public async Task Idempotent_SameIdOtherContent_IsADeadLetter()
    {
        var transport = new FollowUpRefusingTransport();
        await using var running = await RunningBus.StartAsync(bus => bus.UseTransport("UseFailing()", _ => transport)
            .UseStores(_ => Stores(new ScriptedProcessedStore()))
            .Subscribe("points", s => s
                .On<OrderPlaced>((e, _, _) => Note(e.OrderId)).Idempotent()));
        await transport.DeliverBytesAsync("same", """{"OrderId":"1"}""");
        await transport.DeliverBytesAsync("same", """{"OrderId":"1"}""");
        await transport.DeliverBytesAsync("same", """{"OrderId":"2"}""");

        Assert.Equal(["1"], seen.Items);
        Assert.Equal(DeadLetterReason.IdReused, Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Reason);
    }

    [Fact]
    public async Task Idempotent_DerivedIdOtherContent_IsACopy()
    {
        var transport = new FollowUpRefusingTransport();
        await using var running = await RunningBus.StartAsync(bus => bus.UseTransport("UseFailing()", _ => transport)
            .UseStores(_ => Stores(new ScriptedProcessedStore()))
            .Subscribe("points", s => s
                .On<OrderPlaced>((e, _, _) => Note(e.OrderId)).Idempotent()));
        await transport.DeliverBytesAsync("same", """{"OrderId":"1"}""", idIsDerived: true);
        await transport.DeliverBytesAsync("same", """{"OrderId":"2"}""", idIsDerived: true);

        // The form of an id proves nothing: any client can create a UUID of version 8.
        await transport.DeliverBytesAsync("0192f8e2-93a5-8c1e-9d3b-0242ac120002", """{"OrderId":"3"}""");
        await transport.DeliverBytesAsync("0192f8e2-93a5-8c1e-9d3b-0242ac120002", """{"OrderId":"4"}""");

        Assert.Equal(["1", "3"], seen.Items);
        Assert.Equal(DeadLetterReason.IdReused, Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Reason);
    }

    private static Task PublishAsync(RunningBus running, string id) =>
        running.Bus.PublishAsync(new OrderPlaced(id), new PublishOptions { EventId = id }, Token);

    private static TestBusStores Stores(ProcessedEventStore? processed) =>
        new("scripted", durable: false, failures: new InMemoryFailureStore(1_000), processed: processed);

    private Task<RunningBus> StartAsync(ProcessedEventStore store, Func<OrderPlaced, EventContext, Task> handler) => RunningBus.StartAsync(
        bus => bus.UseInMemory()
            .UseStores(_ => Stores(store))
            .Subscribe("points", s => s.On<OrderPlaced>((e, context, _) => handler(e, context)).Idempotent()), time);

    private Task AdvanceUntilAsync(Func<bool> condition, string reason) =>
        time.AdvanceUntilAsync(TimeSpan.FromSeconds(1), reason, condition, Token);

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }
}
