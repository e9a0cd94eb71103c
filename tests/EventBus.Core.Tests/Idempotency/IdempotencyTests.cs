using EventBus.Stores;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>A subscription that handles each event once.</summary>
public sealed class IdempotencyTests
{
    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly Seen seen = new();
    private readonly TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource full = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>I3: ten copies of each event, eight handlers at once.</summary>
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

    /// <summary>I3: a copy that comes while the first runs waits for it, and runs if it fails.</summary>
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

        // The failed copy is due again, and finds that the event is done.
        await running.PassAsync(time, TimeSpan.FromSeconds(10));
        Assert.Equal((2, 1), (runs, seen.Items.Count));
    }

    /// <summary>
    /// A copy that waits for the first attempt continues only after the events of that attempt are marked as sent.
    /// </summary>
    [Fact]
    public async Task Idempotent_CopyWhileTheEventsOfTheHandlerAreSent_SendsNoneAgain()
    {
        // Nothing shows that the copy still waits, so it gets this time to claim the event too early.
        var chance = TimeSpan.FromMilliseconds(300);
        var (began, end, claimedTwice) = (new TaskCompletionSource(), new TaskCompletionSource(), new TaskCompletionSource());
        var claims = 0;
        var store = new ScriptedProcessedStore
        {
            Claimed = () => _ = Interlocked.Increment(ref claims) == 2 && claimedTwice.TrySetResult(),
            Dispatching = async () => await Record.ExceptionAsync(() => claimedTwice.Task.WaitAsync(chance, TimeProvider.System, Token)),
        };
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().UseStores(_ => Stores(store))
                .Subscribe<ReceiptSent>("receipts", (_, _, _) => Note("receipt"))
                .Subscribe("points", s => s.On<OrderPlaced>(async (e, context, ct) =>
                {
                    began.TrySetResult();
                    await end.Task.WaitAsync(ct);
                    await context.PublishAsync(new ReceiptSent(e.OrderId), ct);
                }).Idempotent().Concurrency(2)),
            time);
        await PublishAsync(running, "1");
        await began.Task.WaitAsync(RunningBus.Patience, Token);
        await PublishAsync(running, "1");

        end.SetResult();
        await running.WhenIdleAsync();

        Assert.Equal(2, claims);
        Assert.Equal(["receipt"], seen.Items);
    }

    /// <summary>A run that waits for the store has lent its slot to a copy, which waits for that run.</summary>
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
    /// The claim is lost at the very moment of the commit: what is committed has succeeded, and is not recorded as
    /// failed.
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

    /// <summary>I4: what one subscription has handled, another has not.</summary>
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

    /// <summary>I8 and the user's own key: copies that carry new ids.</summary>
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
    /// Events of several types about one thing are not copies of one another, though users name the same key for each.
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

    /// <summary>I5: while the store does not answer nothing runs, and afterwards everything does.</summary>
    [Fact]
    public async Task Idempotent_StoreDown_RunsNoHandlerUntilItIsUp()
    {
        var store = new ScriptedProcessedStore { Down = true };
        await using var running = await StartAsync(store, (e, _) => Note(e.OrderId));
        await PublishAsync(running, "1");
        await store.Asked.WaitAsync(RunningBus.Patience, Token);
        Assert.Empty(seen.Items);

        store.Down = false;
        await AdvanceUntilIdleAsync(running);
        Assert.Equal(["1"], seen.Items);
    }

    /// <summary>
    /// I5: what waits for the store is not the handler's time. It is attempted once, with its whole timeout.
    /// </summary>
    [Fact]
    public async Task Idempotent_StoreDownForLongerThanTheTimeout_UsesNoAttempt()
    {
        var store = new ScriptedProcessedStore { Down = true };
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().UseStores(_ => Stores(store)).Retry(0).Subscribe("points", s => s
                .On<OrderPlaced>((_, context, ct) => Note($"start {context.Attempt}, cancelled: {ct.IsCancellationRequested}"))
                .Idempotent().HandlerTimeout(TimeSpan.FromMinutes(1))),
            time);
        await PublishAsync(running, "1");
        await store.Asked.WaitAsync(RunningBus.Patience, Token);
        var start = time.GetTimestamp();
        await AdvanceUntilAsync(() => time.GetElapsedTime(start) > TimeSpan.FromMinutes(3), "three timeouts have passed");
        Assert.Empty(seen.Items);

        store.Down = false;
        await AdvanceUntilIdleAsync(running);
        Assert.Equal(["start 1, cancelled: False"], seen.Items);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    /// <summary>I1: an attempt that died with its claim blocks no other for longer than its lease.</summary>
    [Fact]
    public async Task Idempotent_ClaimOfACrashedAttempt_IsTakenOverWithAHigherFencingToken()
    {
        var store = new ScriptedProcessedStore();
        var dead = await store.ClaimAsync(new ProcessedKey("points", "1"), 0, time.GetUtcNow(), TimeSpan.FromSeconds(30), Token);
        store.InProgressAnswers = 3;
        long fencingToken = 0;
        await using var running = await StartAsync(store, (e, context) =>
        {
            fencingToken = context.FencingToken;
            return Note(e.OrderId);
        });
        await PublishAsync(running, "1");
        await AdvanceUntilIdleAsync(running);

        Assert.Equal(["1"], seen.Items);
        Assert.True(fencingToken > dead.FencingToken);
    }

    /// <summary>
    /// I2: a claim whose answer comes when its lease has ended is none. Meanwhile another instance has handled the
    /// event.
    /// </summary>
    [Fact]
    public async Task Idempotent_ClaimAnsweredAfterItsLease_IsRepeated()
    {
        var store = new ScriptedProcessedStore();
        store.Claimed = () =>
        {
            store.Claimed = null;
            store.CompleteElsewhere(new ProcessedKey("points", "1"));
            time.Advance(new EventBusOptions().Lease);
        };
        await using var running = await StartAsync(store, (e, _) => Note(e.OrderId));
        await PublishAsync(running, "1");
        await AdvanceUntilIdleAsync(running);

        Assert.Empty(seen.Items);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    /// <summary>O5 and I2: a run that was overtaken commits nothing, and its event is looked at again.</summary>
    [Fact]
    public async Task Idempotent_ClaimLostDuringTheAttempt_CommitsNothingAndIsSkippedAfterwards()
    {
        var store = new ScriptedProcessedStore();
        await using var running = await StartAsync(store, async (e, context) =>
        {
            await context.PublishAsync(new ReceiptSent(e.OrderId), Token);
            store.CompleteElsewhere(new ProcessedKey("points", "1"));
            seen.Add("overtaken");
        });
        await PublishAsync(running, "1");
        await AdvanceUntilIdleAsync(running);

        Assert.Equal(["overtaken"], seen.Items);
        Assert.Equal(0, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    /// <summary>
    /// Events published by a handler are kept with its commit: when sending them fails, a later run sends them with the
    /// same ids, and does not run the handler again.
    /// </summary>
    [Fact]
    public async Task Idempotent_SendingAfterTheCommitFails_IsRepeatedWithoutTheHandler()
    {
        var transport = new FailingFollowUps();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseTransport("UseFailing()", _ => transport)
                .UseStores(_ => Stores(new ScriptedProcessedStore()))
                .Subscribe("points", s => s
                    .On<OrderPlaced>((e, context, ct) =>
                    {
                        seen.Add("handled");
                        return context.PublishAsync(new ReceiptSent(e.OrderId), ct);
                    })
                    .Idempotent()),
            time);
        await transport.DeliverAsync(running, new OrderPlaced("1"));
        await transport.Refused.WaitAsync(RunningBus.Patience, Token);
        await AdvanceUntilAsync(() => transport.Sent.Count == 1, "the follow-up event is sent");

        Assert.Equal(["handled"], seen.Items);
        Assert.Equal(transport.FirstRefused, Assert.Single(transport.Sent));
    }

    /// <summary>
    /// In memory, where an event is claimed and completed at once, too: what cannot be sent is not forgotten.
    /// </summary>
    [Fact]
    public async Task Idempotent_InMemoryAndSendingAfterTheCommitFails_IsADeadLetterWhoseRetrySends()
    {
        await using var running = await RunningBus.StartAsync(bus =>
        {
            bus.UseInMemory(options => (options.Capacity, options.HandlerReserve) = (1, 0)).Retry(0).Subscribe("points", s => s
                .On<OrderPlaced>((e, context, ct) =>
                {
                    seen.Add("handled");
                    return context.PublishAsync(new ReceiptSent(e.OrderId), ct);
                })
                .Idempotent());
            bus.Subscribe("receipts", s => s.On<ReceiptSent>(async (_, _, ct) =>
            {
                seen.Add("receipt");
                begun.TrySetResult();
                await full.Task.WaitAsync(ct);
            }).Concurrency(1));
        });

        // One receipt is being handled, and one waits: there is no room for a third.
        await running.Bus.PublishAsync(new ReceiptSent("a"), Token);
        await begun.Task.WaitAsync(RunningBus.Patience, Token);
        await running.Bus.PublishAsync(new ReceiptSent("b"), Token);
        await PublishAsync(running, "1");
        await AdvanceUntilAsync(
            () => running.DeadLetters.CountAsync(cancellationToken: Token).GetAwaiter().GetResult() == 1,
            "the event whose follow-up could not be sent is a dead letter");

        full.SetResult();
        await running.WhenIdleAsync();
        Assert.Equal(1, await running.DeadLetters.RetryAllAsync(new DeadLetterFilter(), Token));
        await running.WhenIdleAsync();

        Assert.Equal((1, 3), (seen.Items.Count(item => item == "handled"), seen.Items.Count(item => item == "receipt")));
    }

    /// <summary>
    /// A handler that is left behind keeps its own number, so that what it still writes can be refused.
    /// </summary>
    [Fact]
    public async Task Idempotent_InMemoryAndAbandoned_KeepsItsFencingToken()
    {
        var resume = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (first, second) = (
            new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously),
            new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously));
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe("points", s => s
                .On<OrderPlaced>(async (_, context, _) =>
                {
                    if (context.Attempt > 1)
                    {
                        second.SetResult(context.FencingToken);
                        return;
                    }

                    await resume.Task;
                    first.SetResult(context.FencingToken);
                })
                .Idempotent().HandlerTimeout(TimeSpan.FromSeconds(1)).Concurrency(1)),
            time);
        await PublishAsync(running, "1");
        await AdvanceUntilAsync(() => second.Task.IsCompleted, "the handler was left behind and started again");
        resume.SetResult();

        Assert.True(await first.Task.WaitAsync(RunningBus.Patience, Token) < await second.Task);
    }

    /// <summary>N5: what a failed handler published never leaves.</summary>
    [Fact]
    public async Task Idempotent_HandlerPublishesAndFails_SendsNothing()
    {
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Retry(0)
            .Subscribe("points", s => s
                .On<OrderPlaced>(async (e, context, ct) =>
                {
                    await context.PublishAsync(new ReceiptSent(e.OrderId), ct);
                    throw new IOException("down");
                })
                .Idempotent())
            .Subscribe<ReceiptSent>("receipts", (_, _, _) => Note("ghost")));
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();

        Assert.Empty(seen.Items);
        Assert.Equal(1, await running.DeadLetters.CountAsync(cancellationToken: Token));
    }

    /// <summary>D8: a replay is not swallowed as already handled, and replaying twice handles once.</summary>
    [Fact]
    public async Task Idempotent_DeadLetterRetriedTwice_IsHandledOnce()
    {
        var healed = false;
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Retry(0).Subscribe("points", s => s
            .On<OrderPlaced>((e, context, _) => healed ? Note($"{e.OrderId} {context.IsManualRetry}") : throw new IOException("down"))
            .Idempotent()));
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();

        healed = true;
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
        var transport = new FailingFollowUps();
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
        var transport = new FailingFollowUps();
        await using var running = await RunningBus.StartAsync(bus => bus.UseTransport("UseFailing()", _ => transport)
            .UseStores(_ => Stores(new ScriptedProcessedStore()))
            .Subscribe("points", s => s
                .On<OrderPlaced>((e, _, _) => Note(e.OrderId)).Idempotent()));
        await transport.DeliverBytesAsync("same", """{"OrderId":"1"}""", idIsDerived: true);
        await transport.DeliverBytesAsync("same", """{"OrderId":"2"}""", idIsDerived: true);

        // The form of an id says nothing: anyone may make a UUID of version 8.
        await transport.DeliverBytesAsync("0192f8e2-93a5-8c1e-9d3b-0242ac120002", """{"OrderId":"3"}""");
        await transport.DeliverBytesAsync("0192f8e2-93a5-8c1e-9d3b-0242ac120002", """{"OrderId":"4"}""");

        Assert.Equal(["1", "3"], seen.Items);
        Assert.Equal(DeadLetterReason.IdReused, Assert.Single(await running.DeadLetters.ListAsync(cancellationToken: Token)).Reason);
    }

    [Fact]
    public async Task FollowUp_WithItsOwnId_IsNotTreatedAsDerived()
    {
        var derived = new List<(string Id, bool IsDerived)>();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Subscribe<OrderPlaced>("parent", async (e, context, ct) =>
            {
                await context.PublishAsync(new OrderPaid(e.OrderId), ct);
                await context.PublishAsync(new OrderPaid(e.OrderId), new PublishOptions { EventId = "own" }, ct);
            })
            .Subscribe<OrderPaid>("child", (_, context, _) =>
            {
                lock (derived)
                {
                    derived.Add((context.EventId == "own" ? "own" : "derived", ((DeliveryContext)context).Envelope.IdIsDerived));
                }

                return Task.CompletedTask;
            }));
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();

        Assert.Equal([("derived", true), ("own", false)], derived.Order());
    }

    /// <summary>
    /// I6: a handled event is remembered for its retention, and a copy that comes later runs again: documented,
    /// explicit, and never silent about which.
    /// </summary>
    [Fact]
    public async Task Idempotent_CopyAfterTheRetention_RunsAgain()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe("points", s => s.On<OrderPlaced>((e, _, _) => Note(e.OrderId))
                .Idempotent(options => options.Retention = TimeSpan.FromHours(1))), time);
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();
        time.Advance(TimeSpan.FromMinutes(59));
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();
        Assert.Single(seen.Items);

        time.Advance(TimeSpan.FromMinutes(3));
        await Until.TrueAsync(
            "the key is forgotten and the copy handled",
            async () =>
            {
                time.Advance(TimeSpan.FromMinutes(1));
                await PublishAsync(running, "1");
                await running.WhenIdleAsync();
                return seen.Items.Count == 2;
            },
            Token);
    }

    [Fact]
    public async Task OnCommit_WithoutIdempotencyOrTransactions_NamesTheFix()
    {
        var problems = new Seen();
        await using var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Retry(0)
            .Subscribe<OrderPlaced>("plain", (_, context, _) => Try(context))
            .Subscribe("points", s => s.On<OrderPlaced>((_, context, _) => Try(context)).Idempotent()));
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();

        Assert.Contains(problems.Items, text => text.Contains("Add .Idempotent() to 'plain'", StringComparison.Ordinal));
        Assert.Contains(problems.Items, text => text.Contains("bus.StoreInSqlite(...)", StringComparison.Ordinal));

        Task Try(EventContext context)
        {
            problems.Add(Assert.Throws<InvalidOperationException>(() => context.OnCommit((_, _) => Task.CompletedTask)).Message);
            return Task.CompletedTask;
        }
    }

    /// <summary>Without marks no effects are executed, whatever the store supports.</summary>
    [Fact]
    public async Task OnCommit_WithTransactionsButNotIdempotent_Throws()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .Retry(0)
                .UseStores(_ => Stores(new ScriptedProcessedStore { Transactions = true }))
                .Subscribe<OrderPlaced>("plain", (_, context, _) =>
                {
                    seen.Add(Assert.Throws<InvalidOperationException>(() => context.OnCommit((_, _) => Task.CompletedTask)).Message);
                    return Task.CompletedTask;
                }));
        await PublishAsync(running, "1");
        await running.WhenIdleAsync();

        Assert.Contains("Add .Idempotent() to 'plain'", Assert.Single(seen.Items), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Idempotent_StoreWithoutMarks_IsAStartUpError()
    {
        var problem = await Assert.ThrowsAsync<EventBusConfigurationException>(() => RunningBus.StartAsync(bus => bus.UseInMemory()
            .UseStores(_ => new TestBusStores("forgetful", failures: Stores(null).Failures))
            .Subscribe(
                "points",
                s => s.On<OrderPlaced>((_, _, _) => Task.CompletedTask).Idempotent(options => options.Retention = TimeSpan.Zero))));
        Assert.Contains("the store 'forgetful' does not remember what was handled", problem.Message, StringComparison.Ordinal);
        Assert.Contains("Subscription 'points'.Idempotent.Retention", problem.Message, StringComparison.Ordinal);
    }

    private static Task PublishAsync(RunningBus running, string id) =>
        running.Bus.PublishAsync(new OrderPlaced(id), new PublishOptions { EventId = id }, Token);

    private static TestBusStores Stores(ProcessedEventStore? processed) =>
        new("scripted", durable: false, failures: new InMemoryFailureStore(1_000), processed: processed);

    private Task<RunningBus> StartAsync(ProcessedEventStore store, Func<OrderPlaced, EventContext, Task> handler) => RunningBus.StartAsync(
        bus => bus.UseInMemory()
            .UseStores(_ => Stores(store))
            .Subscribe("points", s => s.On<OrderPlaced>((e, context, _) => handler(e, context)).Idempotent()), time);

    /// <summary>Lets the waits between looks at the store pass, until nothing is left to do.</summary>
    private async Task AdvanceUntilIdleAsync(RunningBus running)
    {
        var idle = running.WhenIdleAsync();
        await AdvanceUntilAsync(() => idle.IsCompleted, "the bus is idle");
        await idle;
    }

    private Task AdvanceUntilAsync(Func<bool> condition, string reason) =>
        time.AdvanceUntilAsync(TimeSpan.FromSeconds(1), reason, condition, Token);

    private Task Note(string text)
    {
        seen.Add(text);
        return Task.CompletedTask;
    }
}
