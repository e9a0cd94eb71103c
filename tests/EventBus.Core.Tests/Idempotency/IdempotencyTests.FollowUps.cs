namespace EventBus;

public sealed partial class IdempotencyTests
{
    /// <summary>
    /// A copy that waits for the first attempt continues only after the events of that attempt are marked as sent.
    /// </summary>
    [Fact]
    public async Task Idempotent_CopyWhileTheEventsOfTheHandlerAreSent_SendsNoneAgain()
    {
        // No state shows that the copy still waits, so it gets this time in which a wrong claim could happen.
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

    /// <summary>
    /// The follow-up events of a handler are stored with its commit: if sending them fails, a later attempt sends them
    /// with the same ids and does not run the handler again.
    /// </summary>
    [Fact]
    public async Task Idempotent_SendingAfterTheCommitFails_IsRepeatedWithoutTheHandler()
    {
        var transport = new FollowUpRefusingTransport();
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
    /// The in-memory store claims and completes an event at once. It also keeps follow-up events that cannot be sent.
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

        // One receipt is being handled and one waits, so that there is no capacity for a third.
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

    /// <summary>N5: events that a failed handler published are not sent.</summary>
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

    /// <summary>Without marks no effects are executed, even if the store supports transactions.</summary>
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
}
