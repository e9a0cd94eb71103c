using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>An event that a store cannot write or read becomes a dead letter, and all others continue.</summary>
public sealed class UnstorableTests : IDisposable
{
    private const string Bad = "mail~bad";

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly PickyStore store = new();
    private readonly Seen seen = new();
    private readonly LogMemory logs = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<bool> Typed => [true, false];

    [Theory, MemberData(nameof(Typed))]
    public async Task Record_OfOneEventFails_IsADeadLetterWithItsBodyAndOthersContinue(bool typed)
    {
        store.BeforeKeeping = entry => Refuse(entry.Id == Bad && entry.Status != FailedEventStatus.Dead, typed);
        await using var running = await StartAsync(_ => throw new IOException("down"));
        await PublishAsync(running, "bad");
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1, "the event is a dead letter");

        var letter = Assert.Single(await running.DeadLetters.ListAsync(null, Token));
        Assert.Equal(
            (DeadLetterReason.Unstorable, "mail", "bad", 1),
            (letter.Reason, letter.Subscription, letter.EventId, letter.Attempts));
        Assert.Contains("down", letter.Error, StringComparison.Ordinal);
        Assert.Contains("bad", System.Text.Encoding.UTF8.GetString(letter.Body.Span), StringComparison.Ordinal);
        await UntilAsync(() => Task.FromResult(seen.Items.Contains("alert bad")), "its alert is sent");
        await ExpectOthersContinueAsync(running);
        Assert.DoesNotContain(logs.Entries, entry => entry.Text.StartsWith("The failure store did not take", StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Typed))]
    public async Task Record_WithABodyThatCannotBeStored_IsADeadLetterWithoutIt(bool typed)
    {
        store.BeforeKeeping = entry => Refuse(entry.Id == Bad && !entry.Envelope.Body.IsEmpty, typed);
        await using var running = await StartAsync(_ => throw new IOException("down"));
        await PublishAsync(running, "bad");
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1, "the event is a dead letter");

        var letter = Assert.Single(await running.DeadLetters.ListAsync(null, Token));
        Assert.Equal(DeadLetterReason.Unstorable, letter.Reason);
        Assert.True(letter.Body.IsEmpty);
        await ExpectOthersContinueAsync(running);
    }

    /// <summary>An event whose getter throws: a store that writes bytes learns of it when it asks for them.</summary>
    [Fact]
    public async Task Record_OfAnEventThatCannotBeWritten_IsADeadLetterWithoutABody()
    {
        store.BeforeKeeping = entry => _ = entry.Envelope.Body;
        await using var running = await StartAsync(_ => throw new IOException("down"));
        await running.Bus.PublishAsync(new Measured(double.NaN), new PublishOptions { EventId = "bad" }, Token);
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1, "the event is a dead letter");

        Assert.Equal((DeadLetterReason.Unstorable, true), await FirstAsync(running, letter => (letter.Reason, letter.Body.IsEmpty)));
        await ExpectOthersContinueAsync(running);
    }

    [Theory, MemberData(nameof(Typed))]
    public async Task Record_ImpossibleInEveryForm_PausesOnlyItsSubscriptionUntilItIsPossible(bool typed)
    {
        var (refuses, attempts) = (true, 0);
        store.BeforeKeeping = entry => Refuse(refuses && entry.Id == Bad && Interlocked.Increment(ref attempts) > 0, typed);
        await using var running = await StartAsync(_ => throw new IOException("down"));
        await PublishAsync(running, "bad");
        await UntilAsync(() => Task.FromResult(Volatile.Read(ref attempts) > 20), "it was tried often");
        Assert.Contains(
            logs.At(LogLevel.Error),
            text => text.Contains("entry of mail for", StringComparison.Ordinal) && text.Contains("bad", StringComparison.Ordinal));
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);
        await UntilAsync(() => Task.FromResult(seen.Items.Contains("ship 1")), "the other subscription continues");

        var health = (await running.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Entries.Single().Value;
        Assert.Equal(HealthStatus.Degraded, health.Status);
        Assert.Contains("mail", health.Description, StringComparison.Ordinal);
        Assert.Contains("bad", health.Description, StringComparison.Ordinal);

        refuses = false;
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1, "it was kept, and its retries ran out");
        Assert.Equal(DeadLetterReason.HandlerFailed, await FirstAsync(running, letter => letter.Reason));
    }

    /// <summary>A store that is down takes nothing else either: no event becomes a dead letter because of it.</summary>
    [Fact]
    public async Task Record_OfEveryEventFails_NothingBecomesADeadLetter()
    {
        var (down, attempts) = (true, 0);
        store.Before = (step, _) => Refuse(down && step == "record" && Interlocked.Increment(ref attempts) > 0, typed: false);
        await using var running = await StartAsync(_ => down ? throw new IOException("down") : Task.CompletedTask);
        await PublishAsync(running, "bad");
        await UntilAsync(() => Task.FromResult(Volatile.Read(ref attempts) > 20), "it was tried often");
        Assert.Single(logs.Entries, entry => entry.Text.StartsWith("The failure store did not take a write", StringComparison.Ordinal));

        down = false;
        await UntilAsync(
            async () => await store.CountAsync(Token) == 0 && seen.Items.Count(item => item == "mail bad") == 2,
            "it was kept and handled again");
        Assert.Equal(0, await running.DeadLetters.CountAsync(null, Token));
    }

    [Theory, MemberData(nameof(Typed))]
    public async Task Complete_OfOneEntryFails_IsADeadLetterAndNotHandledAgain(bool typed)
    {
        var failed = false;
        store.Before = (step, id) => Refuse(step == "complete" && id == Bad, typed);
        await using var running = await StartAsync(_ => failed ? Task.CompletedTask : throw Failed());
        await PublishAsync(running, "bad");
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1, "the entry is a dead letter");

        Assert.Equal(DeadLetterReason.Unstorable, await FirstAsync(running, letter => letter.Reason));
        Assert.Equal(2, seen.Items.Count(item => item == "mail bad"));
        await ExpectOthersContinueAsync(running, fails: false);

        IOException Failed()
        {
            failed = true;
            return new IOException("down");
        }
    }

    [Theory, MemberData(nameof(Typed))]
    public async Task Park_OfAnEventFails_IsADeadLetterThatBlocksItsKey(bool typed)
    {
        store.Before = (step, id) => Refuse(step == "park" && id == Bad, typed);
        await using var running = await StartAsync(
            e => e.OrderId == "first" ? throw new IOException("down") : Task.CompletedTask,
            mail => mail.Ordered());
        await PublishAsync(running, "first");
        await PublishAsync(running, "bad");
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 2, "both are dead letters");

        Assert.Equal(
            [DeadLetterReason.Unstorable, DeadLetterReason.HandlerFailed],
            (await running.DeadLetters.ListAsync(null, Token)).OrderBy(letter => letter.EventId).Select(letter => letter.Reason));
        Assert.DoesNotContain("mail bad", seen.Items);
        await ExpectOthersContinueAsync(running, fails: false);
    }

    [Theory]
    [InlineData("order")]
    [InlineData("advance")]
    [InlineData("defer")]
    public async Task Guard_StepOfOneKeyFails_IsADeadLetterAndOtherKeysContinue(string failing)
    {
        store.Before = (step, id) => Refuse(step == failing && id is "bad" or Bad, typed: false);
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                Configure(bus).Subscribe(
                    "mail",
                    mail => mail.On<OrderPlaced>((e, _, _) => Note($"mail {e.OrderId}")).Guard<OrderPlaced, Gate>());
                bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId);
            },
            time,
            services => services.AddSingleton<ILoggerProvider>(logs)
                .AddSingleton(seen)
                .AddSingleton(new Gate(failing == "defer" ? "bad" : "")));
        await PublishAsync(running, "bad");
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1, "the event is a dead letter");

        Assert.Equal((DeadLetterReason.Unstorable, "bad"), await FirstAsync(running, letter => (letter.Reason, letter.EventId)));
        await PublishAsync(running, "good");
        await UntilAsync(() => Task.FromResult(seen.Items.Contains("mail good")), "another key continues");
    }

    [Theory, MemberData(nameof(Typed))]
    public async Task Mark_OfOneEventCannotBeRead_IsADeadLetterAndOthersContinue(bool typed)
    {
        var processed = new PickyProcessedStore { Before = key => Refuse(key == "bad", typed) };
        await using var running = await RunningBus.StartAsync(
            bus => Configure(bus).UseStores(_ => new TestBusStores("picky", durable: false, failures: store, processed: processed))
                .Subscribe("mail", mail => mail.On<OrderPlaced>((e, _, _) => Note($"mail {e.OrderId}")).Idempotent()),
            time,
            services => services.AddSingleton<ILoggerProvider>(logs).AddSingleton(seen));
        await PublishAsync(running, "bad");
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1, "the event is a dead letter");

        Assert.Equal((DeadLetterReason.Unstorable, "bad"), await FirstAsync(running, letter => (letter.Reason, letter.EventId)));
        await PublishAsync(running, "good");
        await UntilAsync(() => Task.FromResult(seen.Items.Contains("mail good")), "another event is handled");
    }

    /// <summary>
    /// Waiting for the store does not count against the timeout of the handler: it is attempted once, with the whole
    /// timeout.
    /// </summary>
    [Fact]
    public async Task Guard_WaitsForItsStoreForLongerThanTheTimeout_UsesNoAttempt()
    {
        var down = true;
        store.Before = (step, _) => Refuse(down && step == "order", typed: false);
        var cancelled = new List<bool>();
        await using var running = await RunningBus.StartAsync(
            bus =>
            {
                Configure(bus).Subscribe("mail", mail => mail.On<OrderPlaced>((e, context, ct) =>
                {
                    cancelled.Add(ct.IsCancellationRequested);
                    return Note($"mail {context.Attempt}");
                }).Guard<OrderPlaced, Gate>().HandlerTimeout(TimeSpan.FromMinutes(1)));
                bus.Event<OrderPlaced>().KeyedBy(e => e.OrderId);
            },
            time,
            services => services.AddSingleton<ILoggerProvider>(logs).AddSingleton(seen).AddSingleton(new Gate("")));
        store.BeforeKeeping = _ => Refuse(down, typed: false);
        await PublishAsync(running, "1");
        var start = time.GetTimestamp();
        await UntilAsync(() => Task.FromResult(time.GetElapsedTime(start) > TimeSpan.FromMinutes(3)), "three timeouts have passed");
        Assert.Empty(seen.Items);

        down = false;
        await UntilAsync(() => Task.FromResult(seen.Items.Contains("mail 1")), "the event is handled");
        Assert.Equal([false], cancelled);
        Assert.Equal(0, await store.CountAsync(Token));
    }

    /// <summary>One that cannot be retried keeps no other from it, and the caller learns of it.</summary>
    [Theory]
    [InlineData("first")]
    [InlineData("second")]
    [InlineData("third")]
    public async Task RetryAll_OneCannotBeRetried_RetriesTheOthersAndReportsIt(string bad)
    {
        var down = true;
        store.Before = (step, id) => Refuse(step == "revive" && id == $"mail~{bad}", typed: false);
        await using var running = await StartAsync(
            _ => down ? throw new InvalidDataException("never") : Task.CompletedTask,
            mail => mail.DeadLetterOn<InvalidDataException>());
        foreach (var id in new[] { "first", "second", "third" })
        {
            await PublishAsync(running, id);
            await UntilAsync(() => Task.FromResult(seen.Items.Contains($"alert {id}")), "it is a dead letter");
        }

        down = false;
        var exception = await Assert.ThrowsAsync<EventBusException>(() => running.DeadLetters.RetryAllAsync(null, Token));

        Assert.StartsWith("2 dead letters are due again, and 1 could not be retried", exception.Message, StringComparison.Ordinal);
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1
            && seen.Items.Count(item => item.StartsWith("mail ", StringComparison.Ordinal)) == 5, "the others are handled");
        Assert.Equal(bad, await FirstAsync(running, letter => letter.EventId));
    }

    /// <summary>A run of damaged ones, however long, keeps no other from being retried.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task RetryAll_ManyInARowCannotBeRetried_RetriesTheOthersAndReportsIt(bool typed)
    {
        const int Bad = 50;
        var down = true;
        store.Before = (step, id) => Refuse(step == "revive" && id.StartsWith("mail~bad", StringComparison.Ordinal), typed);
        await using var running = await StartAsync(
            _ => down ? throw new InvalidDataException("never") : Task.CompletedTask,
            mail => mail.DeadLetterOn<InvalidDataException>());
        foreach (var id in Enumerable.Range(1, Bad).Select(i => $"bad{i}").Append("good"))
        {
            await PublishAsync(running, id);
        }

        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == Bad + 1, "all are dead letters");
        down = false;

        var exception = await Assert.ThrowsAsync<EventBusException>(() => running.DeadLetters.RetryAllAsync(null, Token));

        Assert.StartsWith($"1 dead letters are due again, and {Bad} could not be retried", exception.Message, StringComparison.Ordinal);
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == Bad, "the other is handled");
    }

    /// <summary>A store that does not answer at all ends the run.</summary>
    [Fact]
    public async Task RetryAll_StoreDoesNotAnswer_EndsAfterAFew()
    {
        var attempts = 0;
        for (var i = 0; i < 30; i++)
        {
            var envelope = new Envelope(new EnvelopeAttributes { Id = $"{i}", Name = "order.placed" }, []);
            await store.RecordAsync(new FailedEvent { Subscription = "mail", Envelope = envelope, Status = FailedEventStatus.Dead }, Token);
        }

        store.Before = (step, _) =>
        {
            attempts += step == "revive" ? 1 : 0;
            throw new IOException($"no answer to {step}");
        };

        var exception = await Assert.ThrowsAsync<IOException>(
            async () => await store.DeadLetters.RetryAllAsync(new DeadLetterFilter(), time.GetUtcNow(), Token));

        Assert.Equal(("no answer to count dead", 20), (exception.Message, attempts));
    }

    /// <summary>
    /// The mark of an entry of the store is held: deliveries go on, since no more entries are claimed than can run.
    /// </summary>
    [Fact]
    public async Task Mark_OfARetryIsDelayed_BlocksNoDeliveries()
    {
        var refuses = true;
        var processed = new PickyProcessedStore { BeforeCompleting = key => Refuse(refuses && key == "bad", typed: false) };
        await using var running = await RunningBus.StartAsync(
            bus => Configure(bus)
                .Retry(1, TimeSpan.Zero)
                .UseStores(_ => new TestBusStores("picky", durable: false, failures: store, processed: processed))
                    .Subscribe("mail", mail => mail.On<OrderPlaced>((e, context, _) => e.OrderId == "bad" && context.Attempt == 1
                        ? throw new IOException("down")
                        : Note($"mail {e.OrderId}")).Idempotent()),
            time,
            services => services.AddSingleton<ILoggerProvider>(logs).AddSingleton(seen));
        await PublishAsync(running, "bad");
        await UntilAsync(
            () => Task.FromResult(logs.At(LogLevel.Error).Any(text => text.Contains("entry of mail for", StringComparison.Ordinal))),
            "its mark is held");

        await PublishAsync(running, "good");

        // No time passes, so that nothing is decided about the mark meanwhile.
        await Until.TrueAsync("the delivery does not wait for the mark of another event", () => seen.Items.Contains("mail good"), Token);

        refuses = false;
        await UntilAsync(async () => await store.CountAsync(Token) == 0, "it was marked after all");
    }

    [Fact]
    public async Task Claim_OfOneSubscriptionFails_OthersAreRetried()
    {
        store.Before = (step, id) => Refuse(step == "claim" && id == "mail", typed: false);
        var failed = false;
        await using var running = await StartAsync(_ => throw new IOException("down"), ship: _ =>
        {
            (var first, failed) = (!failed, true);
            return first ? throw new IOException("down") : Task.CompletedTask;
        });
        await PublishAsync(running, "bad");
        await running.Bus.PublishAsync(new OrderShipped("1"), Token);

        await UntilAsync(() => Task.FromResult(seen.Items.Count(item => item == "ship 1") == 2), "the other subscription is retried");

        // The stop waits for a retry that is due, within the drain timeout; the time of this test does not pass by
        // itself.
        store.Before = (_, _) => { };
        await UntilAsync(() => Task.FromResult(seen.Items.Count(item => item == "mail bad") == 2), "the first subscription is retried");
        await running.WhenIdleAsync();
    }

    [Fact]
    public async Task Alert_OfOneDeadLetterCannotBeReadOrMarked_OthersAreSent()
    {
        store.Before = (step, id) => Refuse(step is "find" or "alerted" && id == Bad, typed: false);
        await using var running = await StartAsync(
            _ => throw new InvalidDataException("never"),
            mail => mail.DeadLetterOn<InvalidDataException>());
        await PublishAsync(running, "bad");
        await UntilAsync(() => Task.FromResult(seen.Items.Contains("alert bad")), "an alert with the known parts is sent");

        await PublishAsync(running, "good");
        await UntilAsync(() => Task.FromResult(seen.Items.Contains("alert good")), "the next alert is sent");
        Assert.Single(seen.Items, item => item == "alert bad");
    }

    [Fact]
    public async Task Sweep_OfFailuresFails_StillSweepsTheMarks()
    {
        store.Before = (step, _) => Refuse(step == "sweep", typed: false);
        var processed = new PickyProcessedStore();
        await using var running = await RunningBus.StartAsync(
            bus => Configure(bus).UseStores(_ => new TestBusStores("picky", durable: false, failures: store, processed: processed))
                .Subscribe("mail", mail => mail.On<OrderPlaced>((e, _, _) => Note($"mail {e.OrderId}"))
                    .Idempotent(options => options.Retention = TimeSpan.FromHours(1))),
            time,
            services => services.AddSingleton<ILoggerProvider>(logs).AddSingleton(seen));
        await PublishAsync(running, "1");
        await UntilAsync(async () => await processed.CountAsync(Token) == 1, "the event is marked");

        time.Advance(TimeSpan.FromHours(2));
        await UntilAsync(async () => await processed.CountAsync(Token) == 0, "the mark is swept");
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public async Task Publish_WithADurableStore_RefusesEventsThatCannotBeSerialized(double value)
    {
        await using var running = await StartAsync(_ => Task.CompletedTask, durable: true);

        var exception = await Assert.ThrowsAsync<PublishException>(() => running.Bus.PublishAsync(new Measured(value), Token));

        Assert.Equal(PublishFailure.Rejected, exception.Failure);
        Assert.Contains(typeof(Measured).FullName!, exception.Message, StringComparison.Ordinal);
        Assert.NotNull(exception.InnerException);
        await ExpectOthersContinueAsync(running, fails: false);
    }

    public void Dispose() => logs.Dispose();

    private static void Refuse(bool really, bool typed)
    {
        if (really)
        {
            throw typed ? new StoreRefusedException(StoreScope.Entry, "It cannot be kept.") : new InvalidOperationException("no");
        }
    }

    private static async Task<T> FirstAsync<T>(RunningBus running, Func<DeadLetter, T> select) =>
        select((await running.DeadLetters.ListAsync(null, Token))[0]);

    private static Task PublishAsync(RunningBus running, string id) =>
        running.Bus.PublishAsync(new OrderPlaced(id), new PublishOptions { EventId = id }, Token);

    private Task Note(string what)
    {
        seen.Add(what);
        return Task.CompletedTask;
    }

    private EventBusBuilder Configure(EventBusBuilder bus) => bus.UseInMemory()
        .UseStores(_ => new TestBusStores("picky", durable: false, failures: store))
        .AddAlert<Alert>()
        .Configure(options => options.Retry.Jitter = 0);

    private Task<RunningBus> StartAsync(
        Func<OrderPlaced, Task> handle,
        Action<SubscriptionBuilder>? mail = null,
        Func<OrderShipped, Task>? ship = null,
        bool durable = false) => RunningBus.StartAsync(
        bus => Configure(bus)
            .UseStores(_ => new TestBusStores("picky", durable: durable, failures: store))
            .Subscribe("mail", s =>
            {
                s.On<OrderPlaced>((e, _, _) =>
                {
                    seen.Add($"mail {e.OrderId}");
                    return handle(e);
                }).On<Measured>((_, _, _) => throw new IOException("down"));
                mail?.Invoke(s);
            })
            .Subscribe<OrderShipped>("ship", (e, _, _) =>
            {
                seen.Add($"ship {e.OrderId}");
                return ship?.Invoke(e) ?? Task.CompletedTask;
            }),
        time,
        services => services.AddSingleton<ILoggerProvider>(logs).AddSingleton(seen).AddLogging().AddHealthChecks());

    /// <summary>Another event of the same subscription is handled, and one of another.</summary>
    private async Task ExpectOthersContinueAsync(RunningBus running, bool fails = true)
    {
        await running.Bus.PublishAsync(new OrderPlaced("good"), new PublishOptions { EventId = "good", Key = "good" }, Token);
        await running.Bus.PublishAsync(new OrderShipped("2"), Token);
        await UntilAsync(
            () => Task.FromResult(seen.Items.Contains("ship 2") && seen.Items.Count(item => item == "mail good") == (fails ? 4 : 1)),
            "others go on");
    }

    private Task UntilAsync(Func<Task<bool>> condition, string reason) => time.AdvanceUntilAsync(
        TimeSpan.FromMilliseconds(100),
        () => $"{reason}. {string.Join('\n', logs.Entries)}",
        condition,
        Token);

    internal sealed class Alert(Seen seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Add($"alert {alert.First.EventId}");
            return Task.CompletedTask;
        }
    }

    [EventName("thing.measured")]
    private sealed record Measured(double Value);

    internal sealed class Gate(string defers) : IOrderGuard<OrderPlaced>
    {
        public Task<OrderDecision> DecideAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return Task.FromResult(@event.OrderId == defers ? OrderDecision.Defer : OrderDecision.Proceed);
        }
    }

    private sealed class PickyProcessedStore : ProcessedEventStore
    {
        private readonly InMemoryProcessedEventStore inner = new(1_000);

        public Action<string> Before { get; init; } = _ => { };

        public Action<string> BeforeCompleting { get; init; } = _ => { };

        public override ValueTask<ProcessedClaim> ClaimAsync(
            ProcessedKey key,
            long fingerprint,
            DateTimeOffset now,
            TimeSpan lease,
            CancellationToken cancellationToken)
        {
            Before(key.Key);
            return inner.ClaimAsync(key, fingerprint, now, lease, cancellationToken);
        }

        public override ValueTask<bool> RenewAsync(
            ProcessedKey key,
            long fencingToken,
            DateTimeOffset until,
            CancellationToken cancellationToken) => inner.RenewAsync(key, fencingToken, until, cancellationToken);

        public override ValueTask<bool> CompleteAsync(
            ProcessedKey key,
            long fencingToken,
            Completion completion,
            CancellationToken cancellationToken)
        {
            BeforeCompleting(key.Key);
            return inner.CompleteAsync(key, fencingToken, completion, cancellationToken);
        }

        public override ValueTask MarkDispatchedAsync(ProcessedKey key, CancellationToken cancellationToken) =>
            inner.MarkDispatchedAsync(key, cancellationToken);

        public override ValueTask ReleaseAsync(ProcessedKey key, long fencingToken, CancellationToken cancellationToken) =>
            inner.ReleaseAsync(key, fencingToken, cancellationToken);

        public override ValueTask<int> SweepAsync(DateTimeOffset now, int max, CancellationToken cancellationToken) =>
            inner.SweepAsync(now, max, cancellationToken);

        public override ValueTask<long> CountAsync(CancellationToken cancellationToken) => inner.CountAsync(cancellationToken);
    }
}
