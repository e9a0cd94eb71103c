using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed partial class UnstorableTests
{
    /// <summary>A dead letter that cannot be retried does not stop the others, and the caller gets an error.</summary>
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

    /// <summary>A long run of damaged dead letters does not stop the others from being retried.</summary>
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

    /// <summary>A store that does not answer at all ends the operation.</summary>
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
    /// The mark of an entry of the store is held: deliveries continue, because no more entries are claimed than can
    /// run.
    /// </summary>
    [Fact]
    public async Task Mark_OfARetryIsDelayed_BlocksNoDeliveries()
    {
        var refuses = true;
        var processed = new FaultyProcessedStore { BeforeCompleting = key => Refuse(refuses && key == "bad", typed: false) };
        await using var running = await RunningBus.StartAsync(
            bus => Configure(bus)
                .Retry(1, TimeSpan.Zero)
                .UseStores(_ => new TestBusStores("faulty", durable: false, failures: store, processed: processed))
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

        // No time passes, so that nothing is decided about the mark in the meantime.
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

        // The stop waits for a due retry within the drain timeout, and the time of this test does not pass by itself.
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
        var processed = new FaultyProcessedStore();
        await using var running = await RunningBus.StartAsync(
            bus => Configure(bus).UseStores(_ => new TestBusStores("faulty", durable: false, failures: store, processed: processed))
                .Subscribe("mail", mail => mail.On<OrderPlaced>((e, _, _) => Note($"mail {e.OrderId}"))
                    .Idempotent(options => options.Retention = TimeSpan.FromHours(1))),
            time,
            services => services.AddSingleton<ILoggerProvider>(logs).AddSingleton(seen));
        await PublishAsync(running, "1");
        await UntilAsync(async () => await processed.CountAsync(Token) == 1, "the event is marked");

        time.Advance(TimeSpan.FromHours(2));
        await UntilAsync(async () => await processed.CountAsync(Token) == 0, "the mark is swept");
    }
}
