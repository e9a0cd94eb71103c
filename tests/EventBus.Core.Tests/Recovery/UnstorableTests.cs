using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Shows that an event that the store cannot write or read becomes a dead letter, and that all others continue.
/// </summary>
public sealed partial class UnstorableTests : IDisposable
{
    private const string Bad = "mail~bad";

    private readonly FakeTimeProvider time = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
    private readonly FaultyStore store = new();
    private readonly Seen seen = new();
    private readonly LogMemory logs = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<bool> Typed => [true, false];

    [Theory, MemberData(nameof(Typed))]
    public async Task Record_OfOneEventFails_IsADeadLetterWithItsBodyAndOthersContinue(bool typed)
    {
        store.BeforeRecording = entry => Refuse(entry.Id == Bad && entry.Status != FailedEventStatus.Dead, typed);
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
        Assert.DoesNotContain(logs.Entries, entry => entry.Text.StartsWith("The failure store did not accept", StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Typed))]
    public async Task Record_WithABodyThatCannotBeStored_IsADeadLetterWithoutIt(bool typed)
    {
        store.BeforeRecording = entry => Refuse(entry.Id == Bad && !entry.Envelope.Body.IsEmpty, typed);
        await using var running = await StartAsync(_ => throw new IOException("down"));
        await PublishAsync(running, "bad");
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 1, "the event is a dead letter");

        var letter = Assert.Single(await running.DeadLetters.ListAsync(null, Token));
        Assert.Equal(DeadLetterReason.Unstorable, letter.Reason);
        Assert.True(letter.Body.IsEmpty);
        await ExpectOthersContinueAsync(running);
    }

    /// <summary>The getter of the event throws only when a store serializes the event.</summary>
    [Fact]
    public async Task Record_OfAnEventThatCannotBeWritten_IsADeadLetterWithoutABody()
    {
        store.BeforeRecording = entry => _ = entry.Envelope.Body;
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
        store.BeforeRecording = entry => Refuse(refuses && entry.Id == Bad && Interlocked.Increment(ref attempts) > 0, typed);
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

    /// <summary>A store that is down accepts no write at all: no event becomes a dead letter because of it.</summary>
    [Fact]
    public async Task Record_OfEveryEventFails_NothingBecomesADeadLetter()
    {
        var (down, attempts) = (true, 0);
        store.Before = (step, _) => Refuse(down && step == "record" && Interlocked.Increment(ref attempts) > 0, typed: false);
        await using var running = await StartAsync(_ => down ? throw new IOException("down") : Task.CompletedTask);
        await PublishAsync(running, "bad");
        await UntilAsync(() => Task.FromResult(Volatile.Read(ref attempts) > 20), "it was tried often");
        Assert.Single(logs.Entries, entry => entry.Text.StartsWith("The failure store did not accept a write", StringComparison.Ordinal));

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
        await UntilAsync(async () => await running.DeadLetters.CountAsync(null, Token) == 2, "both events are dead letters");

        Assert.Equal(
            [DeadLetterReason.Unstorable, DeadLetterReason.HandlerFailed],
            (await running.DeadLetters.ListAsync(null, Token)).OrderBy(letter => letter.EventId).Select(letter => letter.Reason));
        Assert.DoesNotContain("mail bad", seen.Items);
        await ExpectOthersContinueAsync(running, fails: false);
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
        .UseStores(_ => new TestBusStores("faulty", durable: false, failures: store))
        .AddAlert<Alert>()
        .Configure(options => options.Retry.Jitter = 0);

    private Task<RunningBus> StartAsync(
        Func<OrderPlaced, Task> handle,
        Action<SubscriptionBuilder>? mail = null,
        Func<OrderShipped, Task>? ship = null,
        bool durable = false) => RunningBus.StartAsync(
        bus => Configure(bus)
            .UseStores(_ => new TestBusStores("faulty", durable: durable, failures: store))
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

    /// <summary>Asserts that another event of the same subscription and an event of another one are handled.</summary>
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
}
