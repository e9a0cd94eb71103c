using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

public sealed partial class UnstorableTests
{
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
        var processed = new FaultyProcessedStore { Before = key => Refuse(key == "bad", typed) };
        await using var running = await RunningBus.StartAsync(
            bus => Configure(bus).UseStores(_ => new TestBusStores("faulty", durable: false, failures: store, processed: processed))
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
    /// Waiting for the store does not count against the timeout of the handler: one attempt is made, with the whole
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
        store.BeforeRecording = _ => Refuse(down, typed: false);
        await PublishAsync(running, "1");
        var start = time.GetTimestamp();
        await UntilAsync(() => Task.FromResult(time.GetElapsedTime(start) > TimeSpan.FromMinutes(3)), "three timeouts have passed");
        Assert.Empty(seen.Items);

        down = false;
        await UntilAsync(() => Task.FromResult(seen.Items.Contains("mail 1")), "the event is handled");
        Assert.Equal([false], cancelled);
        Assert.Equal(0, await store.CountAsync(Token));
    }

    internal sealed class Gate(string defers) : IOrderGuard<OrderPlaced>
    {
        public Task<OrderDecision> DecideAsync(OrderPlaced @event, EventContext context, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return Task.FromResult(@event.OrderId == defers ? OrderDecision.Defer : OrderDecision.Proceed);
        }
    }
}
