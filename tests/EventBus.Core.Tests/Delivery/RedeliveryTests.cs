using System.Collections.Concurrent;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Tests events that are redelivered because they were not settled, in several subscriptions at once. A bus whose
/// handlers never return stands for a process that ends; the next bus shares its store.
/// </summary>
public sealed class RedeliveryTests
{
    // Has no store: a write would throw.
    private static readonly ConcurrentMark Unused = new(null!, null!, null!);

    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider time = new();
    private readonly InMemoryFailureStore store = new(1_000);
    private readonly Journal seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task RedeliveredEvent_Hangs_DelaysItsOwnSubscriptionOnly()
    {
        await using var process = await StartAsync((job, ct) => job == "hangs" ? Never(ct) : Task.CompletedTask);
        process.Deliver("mail", "hangs");
        await seen.HasAsync("mail hangs 2");
        process.Deliver("mail", "waits");

        process.Deliver("stock", "one");
        process.Deliver("stock", "two");

        await seen.HasAsync("stock one handled");
        await seen.HasAsync("stock two handled");
    }

    /// <summary>
    /// Either event may have ended the process: from then on each runs alone, and the other event loses no attempt.
    /// </summary>
    [Fact]
    public async Task RedeliveredEvents_RunningWhenTheProcessEnds_RunAloneAndCostTheOtherNoAttempt()
    {
        await using var first = await StartAsync((_, ct) => Never(ct));
        first.Deliver("mail", "a");
        await seen.HasAsync("mail a 2");
        first.Deliver("stock", "b");
        await seen.HasAsync("stock b 2");

        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var second = await StartAsync((job, _) => job == "a" ? released.Task : throw new IOException("an ordinary failure"));
        second.Deliver("mail", "a");
        await seen.HasAsync("mail a 3");
        second.Deliver("stock", "b");
        released.SetResult();

        await second.Acknowledged.HasAsync("b");
        Assert.Equal(["mail a 2", "stock b 2", "mail a 3", "mail a handled", "stock b 3"], seen.Items);
        var kept = Assert.Single((await store.ClaimDueAsync(["stock"], time.GetUtcNow().AddHours(1), Lease, 10, Token)).Entries);

        // Two earlier attempts, and the attempt of this claim.
        Assert.Equal(3, kept.Attempts);
    }

    /// <summary>The event that ends the process has four attempts, even if others run concurrently.</summary>
    [Fact]
    public async Task RedeliveredEvent_CrashesEveryProcess_HasFourAttemptsAndTheOthersAreHandled()
    {
        for (var death = 0; death < 4; death++)
        {
            // Harmless events of another subscription run at the same time and afterwards, until the process ends.
            await using var process =
                await StartAsync((job, ct) => job == "deadly" || job == $"slow {death}" ? Never(ct) : Task.CompletedTask);
            process.Deliver("stock", $"slow {death}");
            process.Deliver("mail", "deadly");
            if (death < 3)
            {
                await AdvanceUntilAsync($"mail deadly {death + 2}");
            }
            else
            {
                await process.Acknowledged.HasAsync("deadly");
            }
        }

        Assert.Equal(
            ["mail deadly 2", "mail deadly 3", "mail deadly 4"],
            seen.Items.Where(item => item.StartsWith("mail deadly", StringComparison.Ordinal)));
        var dead = Assert.Single(await store.DeadLetters.ListAsync(new DeadLetterFilter(), Token));
        Assert.Equal(("deadly", DeadLetterReason.ProcessEnded, 4), (dead.Envelope.Id, dead.Reason, dead.Attempts));

        await using var last = await StartAsync((_, _) => Task.CompletedTask);
        foreach (var death in Enumerable.Range(0, 4))
        {
            last.Deliver("stock", $"slow {death}");
            await seen.HasAsync($"stock slow {death} handled");
        }
    }

    /// <summary>
    /// An event that hangs but has never ended a process does not become a dead letter when a concurrent event ends the
    /// process.
    /// </summary>
    [Fact]
    public async Task RedeliveredEvent_HangsWhileAnotherCrashesEveryProcess_IsNoDeadLetter()
    {
        for (var death = 0; death < 4; death++)
        {
            await using var process = await StartAsync((_, ct) => Never(ct));
            process.Deliver("stock", "hangs");
            await seen.HasAsync($"stock hangs {death + 2}");
            process.Deliver("mail", "deadly");
            if (death < 3)
            {
                await AdvanceUntilAsync($"mail deadly {death + 2}");
            }
            else
            {
                await process.Acknowledged.HasAsync("deadly");
            }
        }

        Assert.Equal("deadly", Assert.Single(await store.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Envelope.Id);
    }

    /// <summary>
    /// A redelivered event that must run alone lends its slot while it waits. A new event that hangs holds that slot
    /// when the turn of the redelivered event comes.
    /// </summary>
    [Fact]
    public async Task RedeliveredEvent_ItsSlotIsTakenWhenItsTurnComes_DelaysNoOtherSubscription()
    {
        await using var first = await StartAsync((_, ct) => Never(ct));
        first.Deliver("mail", "alone");
        await seen.HasAsync("mail alone 2");
        first.Deliver("stock", "b");
        await seen.HasAsync("stock b 2");

        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var second = await StartAsync(
            (job, ct) => job == "runs" ? Never(ct) : job == "fresh" ? released.Task : Task.CompletedTask,
            concurrency: 1);
        second.Deliver("other", "runs");
        await seen.HasAsync("other runs 2");
        second.Deliver("mail", "alone");
        second.Deliver("mail", "fresh", earlier: 0);
        await seen.HasAsync("mail fresh 1");
        time.Advance(Lease);

        second.Deliver("stock", "c");

        await seen.HasAsync("stock c handled");
        Assert.DoesNotContain("mail alone 3", seen.Items);
        released.SetResult();
        await seen.HasAsync("mail alone handled");
    }

    [Fact]
    public async Task Run_AnotherStartsBeforeItsAttemptIsCounted_CountsTheOtherItself()
    {
        var gate = new RedeliveryCoordinator(time, Lease);
        var slots = new ConcurrencyLimiter(1);
        using var first = gate.TryEnter(alone: false, time.GetTimestamp(), Unused)!;
        using var second = gate.TryEnter(alone: false, time.GetTimestamp(), Unused)!;

        await second.MarkOthersAsync(slots).WaitAsync(RunningBus.Patience, Token);

        Assert.True(first.BeginCounting());
        Assert.True(second.BeginCounting());
    }

    [Fact]
    public async Task RedeliveredEvent_BehindSeveralThatMustRunAlone_WaitsAtMostOneLease()
    {
        var gate = new RedeliveryCoordinator(time, Lease);
        var arrived = time.GetTimestamp();
        time.Advance(Lease / 2);
        var later = time.GetTimestamp();
        using var running = gate.TryEnter(alone: true, later, Unused);
        using var abort = new CancellationTokenSource();
        var waiting = gate.WhenFreeAsync(alone: true, arrived, abort.Token);
        time.Advance(Lease / 2);

        Assert.Null(gate.TryEnter(alone: false, later, Unused));
        using var next = gate.TryEnter(alone: false, arrived, Unused);

        Assert.NotNull(next);
        Assert.False(waiting.IsCompleted);
        await abort.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    /// <summary>Advances the time until an item is recorded.</summary>
    private Task AdvanceUntilAsync(string item) => time.AdvanceUntilAsync(
        TimeSpan.FromMilliseconds(100),
        () => $"{item} is seen. So far: {string.Join(", ", seen.Items)}",
        () => Task.FromResult(seen.Items.Contains(item)),
        Token);

    private static Task Never(CancellationToken cancellationToken) => new TaskCompletionSource().Task.WaitAsync(cancellationToken);

    private async Task<Process> StartAsync(Func<string, CancellationToken, Task> handle, int concurrency = 8)
    {
        var transport = new RedeliveringTransport();
        var running = await RunningBus.StartAsync(
            bus =>
            {
                bus.UseTransport("Redelivering()", _ => transport).UseStores(_ => new TestBusStores("kept", durable: true, failures: store))
                    .Configure(options => (
                        options.Lease,
                        options.DrainTimeout,
                        options.Retry.Jitter,
                        options.HandlerTimeout) = (Lease, TimeSpan.Zero, 0, TimeSpan.FromHours(1)));
                foreach (var subscription in new[] { "mail", "stock", "other" })
                {
                    bus.Subscribe(subscription, s => s.Concurrency(concurrency).On<OrderPlaced>(async (e, context, ct) =>
                    {
                        seen.Add($"{subscription} {e.OrderId} {context.Attempt}");
                        await handle(e.OrderId, ct);
                        seen.Add($"{subscription} {e.OrderId} handled");
                    }));
                }
            },
            time);
        return new Process(running, transport);
    }

    /// <summary>A bus whose deliveries were delivered before.</summary>
    private sealed class Process(RunningBus running, RedeliveringTransport transport) : IAsyncDisposable
    {
        public Journal Acknowledged => transport.Acknowledged;

        public void Deliver(string subscription, string job, int earlier = 1) => transport.Receivers[subscription].Deliver(
            new Delivery(new Envelope(
                new EnvelopeAttributes { Id = job, Name = "order.placed" },
                System.Text.Encoding.UTF8.GetBytes($"{{\"orderId\":\"{job}\"}}")), transport, 0, earlier, CancellationToken.None));

        public ValueTask DisposeAsync() => running.DisposeAsync();
    }

    private sealed class RedeliveringTransport : ScriptedTransport, IDeliverySettler
    {
        public ConcurrentDictionary<string, ScriptedReceiver> Receivers { get; } = new();

        public Journal Acknowledged { get; } = new();

        public override ValueTask PublishAsync(
            ReadOnlyMemory<Envelope> batch,
            Memory<PublishOutcome> outcomes,
            CancellationToken deadline) => throw new NotSupportedException();

        public override ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken) =>
            ValueTask.FromResult<Receiver>(Receivers[subscription.Name] = new ScriptedReceiver(_ => { }));

        public ValueTask AckAsync(in Delivery delivery)
        {
            Acknowledged.Add(delivery.Envelope.Id);
            return ValueTask.CompletedTask;
        }

        public ValueTask ReleaseAsync(in Delivery delivery) => ValueTask.CompletedTask;
    }
}
