using System.Text;
using EventBus.Sagas;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Shows that each reason of a dead letter raises an alert.</summary>
public sealed class AlertReasonTests : IAsyncDisposable
{
    private readonly InjectingTransport transport = new();
    private readonly FaultyStore store = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<DeadLetterReason> Reasons => [.. Enum.GetValues<DeadLetterReason>()];

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    /// <summary>Fails for a new reason until it has a case here.</summary>
    [Theory]
    [MemberData(nameof(Reasons))]
    public async Task Alert_OfEveryReason_IsRaisedWithItsDeadLetter(DeadLetterReason reason)
    {
        var alert = reason switch
        {
            DeadLetterReason.HandlerFailed => await KillAsync(
                bus => bus.Retry(1, TimeSpan.Zero).Subscribe<OrderPlaced>("mail", (_, _, _) => throw new IOException("down")),
                ["1"]),
            DeadLetterReason.PermanentFailure => await KillAsync(
                bus => bus.DeadLetterOn<IOException>().Subscribe<OrderPlaced>("mail", (_, _, _) => throw new IOException("down")),
                ["1"]),
            DeadLetterReason.Unreadable => await KillAsync(Fine, ["1"], body: "no JSON"),
            DeadLetterReason.UnknownEvent => await KillAsync(Fine, ["1"], name: "order.lost"),
            DeadLetterReason.TooLarge => await KillAsync(bus => Fine(bus.Configure(options => options.MaxBodyBytes = 10)), ["1"]),
            DeadLetterReason.KeyBlocked => await KillAsync(
                bus => bus.Configure(options => options.MaxParkedPerKey = 1)
                    .Retry(1, TimeSpan.FromHours(1))
                    .Subscribe("mail", s => s.Ordered().On<OrderPlaced>((_, _, _) => throw new IOException("down"))), ["1", "2", "3"]),
            DeadLetterReason.OutOfOrder => await KillAsync(
                bus => bus.Subscribe("mail", s => s.On<OrderPlaced>((_, _, _) => Task.CompletedTask)
                    .Sequenced<OrderPlaced>(e => 2, configure: options => options.Timeout = TimeSpan.FromMilliseconds(20))), ["1"]),
            DeadLetterReason.ProcessEnded => await KillAsync(Fine, ["1"], startsBefore: 6),
            DeadLetterReason.IdReused => await KillAsync(
                bus => bus.Subscribe("mail", s => s.Idempotent().On<OrderPlaced>((_, _, _) => Task.CompletedTask)),
                ["1", "1"]),
            DeadLetterReason.Unstorable => await KillAsync(
                bus =>
                {
                    store.BeforeRecording = entry => _ = entry.Status == FailedEventStatus.Dead
                        ? 0
                        : throw new StoreRefusedException(StoreScope.Entry, "on purpose");
                    return bus.Retry(1, TimeSpan.Zero).Subscribe<OrderPlaced>("mail", (_, _, _) => throw new IOException("down"));
                },
                ["1"]),
            DeadLetterReason.DroppedByBroker => await KillAsync(Fine, [], brokerDeadLetter: "1"),
            DeadLetterReason.SagaNeedsAttention => await HaltSagaAsync(),
            DeadLetterReason.Unpublishable => await RefuseDelayedAsync(),
            _ => throw new NotSupportedException($"This test has no case for the reason {reason}. Add one."),
        };

        Assert.Equal((reason, 1), (alert.First.Reason, alert.Count));
        Assert.Equal([alert.First.Id], alert.Ids);
        Assert.Equal(reason switch
        {
            DeadLetterReason.SagaNeedsAttention =>
            "book-trip",
            DeadLetterReason.Unpublishable => "eventbus/delayed",
            _ => "mail"
        }, alert.First.Subscription);
        Assert.False(string.IsNullOrWhiteSpace(alert.First.Error));

        // The summary names what the reason has, and not the text of the error.
        Assert.Contains($" {alert.First.EventId} (", alert.Summary, StringComparison.Ordinal);
        Assert.EndsWith($"{reason}): {alert.FindCall}", alert.Summary, StringComparison.Ordinal);
        Assert.DoesNotContain(alert.First.Error, alert.Summary, StringComparison.Ordinal);
        Assert.Equal(
            reason switch
            {
                DeadLetterReason.HandlerFailed or DeadLetterReason.PermanentFailure => "System.IO.IOException",
                DeadLetterReason.Unstorable => "System.IO.IOException",
                DeadLetterReason.SagaNeedsAttention => "System.InvalidOperationException",
                _ => null,
            },
            alert.First.ErrorType);
    }

    private static EventBusBuilder Fine(EventBusBuilder bus) => bus.Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask);

    /// <summary>Delivers events, and waits for the alert of their first dead letter.</summary>
    private async Task<DeadLetterAlert> KillAsync(
        Func<EventBusBuilder, EventBusBuilder> configure,
        string[] ids,
        string? body = null,
        string name = "order.placed",
        int startsBefore = 0,
        string? brokerDeadLetter = null)
    {
        await using var running = await RunningBus.StartAsync(bus => configure(
            bus.UseTransport("UseScript()", _ => transport).UseStores(_ => new TestBusStores(
                "faulty",
                durable: false,
                failures: store,
                processed: InMemoryBuilderExtensions.Stores(new InMemoryOptions()).Processed))
                .AddAlert<AlertInbox>().Retry(0)));
        for (var i = 0; i < startsBefore; i++)
        {
            await store.CountAttemptAsync("mail", ids[0], new AttemptCount(1, 0), DateTimeOffset.UtcNow, Token);
        }

        transport.EarlierDeliveries = startsBefore;
        for (var i = 0; i < ids.Length; i++)
        {
            await transport.DeliverAsync((
                new EnvelopeAttributes { Id = ids[i], Name = name, Key = "k" },
                Encoding.UTF8.GetBytes(body ?? $$"""{"orderId":"{{i}}"}""")));
        }

        if (brokerDeadLetter is not null)
        {
            await transport.DropAsync(
                "mail",
                DeadLetterReason.DroppedByBroker,
                "expired",
                new EnvelopeAttributes { Id = brokerDeadLetter, Name = name },
                "{}"u8.ToArray());
        }

        return await running.Services.GetRequiredService<AlertInbox>().NextAsync("an event became a dead letter");
    }

    private static async Task<DeadLetterAlert> RefuseDelayedAsync()
    {
        await using var refusing = new RefusingTransport { Outcome = PublishOutcome.Rejected(new InvalidOperationException("no")) };
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseTransport("UseRefusing()", _ => refusing).StoreInMemory().Publishes<OrderPlaced>().AddAlert<AlertInbox>());
        await running.Bus.PublishAsync(
            new OrderPlaced("1"),
            new PublishOptions { NotBefore = DateTimeOffset.UtcNow.AddMilliseconds(20) },
            Token);
        return await running.Services.GetRequiredService<AlertInbox>().NextAsync("a delayed event was refused");
    }

    private static async Task<DeadLetterAlert> HaltSagaAsync()
    {
        var script = new Script();
        script.Fail("+payment");
        script.Fail("-flight");
        await using var running = await script.StartTripsAsync(
            (saga, steps) =>
            {
                saga.Step("flight", steps, undo: true).Retry(0).RetryCompensation(0);
                saga.Step("payment", steps).Retry(0);
            },
            bus => bus.AddAlert<AlertInbox>());
        await running.RunTripAsync();
        return await running.Services.GetRequiredService<AlertInbox>().NextAsync("a saga needs attention");
    }
}
