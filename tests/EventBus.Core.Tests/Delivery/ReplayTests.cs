using System.Globalization;
using System.Text;
using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;

namespace EventBus;

/// <summary>Tests events that a transport delivers again in a replay, and the call that starts it.</summary>
public sealed class ReplayTests : IAsyncDisposable
{
    private readonly InjectingTransport transport = new();
    private readonly Seen seen = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => transport.DisposeAsync();

    [Fact]
    public async Task Replay_InAnIdempotentSubscription_HandlesEachEventOnceMore()
    {
        await using var running = await StartAsync(s => s.On<StepTaken>(NoteAsync).Idempotent());

        await transport.DeliverAsync(Step(1));
        await transport.DeliverAsync(Step(1));
        await transport.DeliverAsync(Step(1).AsReplay(7));
        await transport.DeliverAsync(Step(1).AsReplay(7));
        await transport.DeliverAsync(Step(1).AsReplay(8));
        await transport.DeliverAsync(Step(1));

        Assert.Equal(["1", "1 replay", "1 replay"], seen.Items);
    }

    [Fact]
    public async Task Replay_InAnIdempotentSubscriptionWithKeys_HandlesEachKeyOnceMore()
    {
        await using var running = await StartAsync(
            s => s.On<StepTaken>(NoteAsync).Idempotent(options => options.KeyedBy<StepTaken>(step => step.OrderId)));

        await transport.DeliverAsync(Step(1));
        await transport.DeliverAsync(Step(2).AsReplay(7));
        await transport.DeliverAsync(Step(3).AsReplay(7));

        Assert.Equal(["1", "2 replay"], seen.Items);
    }

    /// <summary>An effect outside of the bus, such as a payment, must not be repeated by a replay.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task Replay_Context_HasTheIdempotencyKeyOfTheEvent(bool idempotent)
    {
        await using var running = await StartAsync(s =>
        {
            s.On<StepTaken>((_, context, _) =>
            {
                seen.Add(context.IdempotencyKey);
                return Task.CompletedTask;
            });
            if (idempotent)
            {
                s.Idempotent();
            }
        });

        await transport.DeliverAsync(Step(1));
        await transport.DeliverAsync(Step(1).AsReplay(7));

        Assert.Equal(["mail~1", "mail~1"], seen.Items);
    }

    /// <summary>Idempotent subscriptions to the events that the handler publishes must not handle them again.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task Replay_OfAnEventWithAFollowUp_PublishesItWithTheSameId(bool idempotent)
    {
        await using var running = await StartAsync(s =>
        {
            s.On<StepTaken>((step, context, token) => context.PublishAsync(new ContactMoved(step.Number), token));
            if (idempotent)
            {
                s.Idempotent();
            }
        });

        await transport.DeliverAsync(Step(1));
        await transport.DeliverAsync(Step(1).AsReplay(7));

        Assert.Equal(2, transport.SentIds.Count);
        Assert.Single(transport.SentIds.Distinct());
    }

    [Fact]
    public async Task Replay_OfASequence_PassesItsGuard()
    {
        await using var running = await StartAsync(s => s.On<StepTaken>(NoteAsync).Sequenced<StepTaken>(step => step.Number));

        await transport.DeliverAsync(Step(1));
        await transport.DeliverAsync(Step(2));
        await transport.DeliverAsync(Step(1));
        await transport.DeliverAsync(Step(1).AsReplay(7));
        await transport.DeliverAsync(Step(2).AsReplay(7));
        await transport.DeliverAsync(Step(3));

        Assert.Equal(["1", "2", "1 replay", "2 replay", "3"], seen.Items);
    }

    [Fact]
    public async Task Replay_OfAnEventThatFails_IsRetriedAsAReplay()
    {
        var attempts = 0;
        await using var running = await StartAsync(s => s
            .On<StepTaken>((step, context, token) =>
                ++attempts == 1 ? throw new IOException("The handler fails on purpose.") : NoteAsync(step, context, token))
            .Idempotent());

        await transport.DeliverAsync(Step(1).AsReplay(7));
        await Until.TrueAsync("the retry has run", () => seen.Items.Count == 1, Token);

        Assert.Equal(["1 replay"], seen.Items);
    }

    [Fact]
    public void Replay_WrittenByAStoreAndRead_KeepsItsNumber()
    {
        var replayed = Step(1).AsReplay(7);

        var read = StoreFormat.Read(StoreFormat.WriteAttributes(replayed), [], "other", "other");

        Assert.Equal(("1", "step.taken", 7), (read.Id, read.Name, read.Replay));
        Assert.Equal(0, StoreFormat.Read(StoreFormat.WriteAttributes(Step(1)), [], "other", "other").Replay);
    }

    [Fact]
    public void AsReplay_OfAnEvent_KeepsItsAttributes()
    {
        var original = new Envelope(
            new EnvelopeAttributes
            {
                Id = "1",
                Name = "step.taken",
                Version = 2,
                Key = "k",
                Time = DateTimeOffset.UnixEpoch.AddDays(1),
                Headers = new Dictionary<string, string> { ["tenant"] = "blue" },
                CorrelationId = "c",
                CausationId = "p",
                IdIsDerived = true,
                Source = "/shop",
            },
            "{}"u8.ToArray());

        var replayed = original.AsReplay(7);

        Assert.Equal(StoreFormat.WriteAttributes(original), StoreFormat.WriteAttributes(Without(replayed)));
        Assert.Equal(original.Body, replayed.Body);

        static Envelope Without(Envelope replayed) => StoreFormat.Read(
            Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(StoreFormat.WriteAttributes(replayed))
                .Replace(",\"replay\":7", "", StringComparison.Ordinal)),
            [],
            "",
            "");
    }

    [Fact]
    public async Task Replay_OnABackendWithoutHistory_IsAnErrorThatNamesOneThatHasIt()
    {
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory().Subscribe<StepTaken>("mail", (_, _, _) => Task.CompletedTask));
        var manager = running.Services.GetRequiredService<ISubscriptionManager>();

        var error = await Assert.ThrowsAsync<EventBusException>(() => manager.ReplayAsync("mail", ReplayStart.FromBeginning, Token));
        await Assert.ThrowsAsync<ArgumentException>(() => manager.ReplayAsync("other", ReplayStart.FromBeginning, Token));

        Assert.Contains("'mail' cannot be replayed", error.Message, StringComparison.Ordinal);
        Assert.Contains("UseKafka", error.Message, StringComparison.Ordinal);
    }

    private static Envelope Step(int number)
    {
        var id = number.ToString(CultureInfo.InvariantCulture);
        return new Envelope(
            new EnvelopeAttributes { Id = id, Name = "step.taken", Key = "k" },
            Encoding.UTF8.GetBytes($$"""{"orderId":"k","number":{{id}}}"""));
    }

    private Task NoteAsync(StepTaken step, EventContext context, CancellationToken cancellationToken)
    {
        seen.Add($"{step.Number}{(context.IsReplay ? " replay" : "")}");
        return Task.CompletedTask;
    }

    private Task<RunningBus> StartAsync(Action<SubscriptionBuilder> configure) =>
        RunningBus.StartAsync(bus => bus.UseTransport("UseWire()", _ => transport).StoreInMemory().Retry(TimeSpan.Zero)
            .Subscribe("mail", configure));
}
