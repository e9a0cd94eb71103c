using EventBus.Stores;

namespace EventBus;

public sealed partial class IdempotencyTests
{
    /// <summary>I5: no handler runs while the store does not answer; all events are handled afterwards.</summary>
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
    /// I5: the wait for the store does not count against the timeout of the handler. One attempt is made, with the
    /// whole timeout.
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

    /// <summary>I1: the claim of an attempt that crashed blocks other attempts only until its lease expires.</summary>
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
    /// I2: a claim whose answer arrives after its lease has expired is not valid. Another instance has handled the
    /// event in the meantime.
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

    /// <summary>
    /// O5 and I2: an attempt whose claim was taken over commits nothing, and its event is checked again.
    /// </summary>
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

    /// <summary>An abandoned handler keeps its fencing token, so that a resource can refuse its late writes.</summary>
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

    /// <summary>
    /// I6: a handled event is remembered for its retention. A copy that arrives later runs again and is logged.
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

    /// <summary>Advances the time past the pauses between checks of the store until the bus is idle.</summary>
    private async Task AdvanceUntilIdleAsync(RunningBus running)
    {
        var idle = running.WhenIdleAsync();
        await AdvanceUntilAsync(() => idle.IsCompleted, "the bus is idle");
        await idle;
    }
}
