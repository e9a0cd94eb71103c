using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Shows that an event that the broker dead-letters becomes a dead letter, with a store and without.</summary>
[Collection(typeof(PrivateBrokerCollection))]
public sealed class BrokerDeadLetterTests(PrivateBroker broker) : IDisposable
{
    private readonly string name = TestBroker.NewName();
    private readonly Seen<string> handled = new();
    private readonly Seen<DeadLetterAlert> alerted = new();
    private readonly LogList log = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("expired", false)]
    [InlineData("expired", true)]
    [InlineData("maxlen", false)]
    [InlineData("maxlen", true)]
    [InlineData("rejected", false)]
    [InlineData("rejected", true)]
    [InlineData("delivery_limit", false)]
    [InlineData("delivery_limit", true)]
    public async Task Event_DroppedByTheBroker_IsADeadLetterWithOneAlertAndIsRetriedUnderItsName(string reason, bool store)
    {
        var type = reason == "maxlen" ? RabbitMqQueueType.Classic : RabbitMqQueueType.Quorum;
        await using (await StartAsync(store, type))
        {
        }

        await DropAsync(reason);
        await using var app = await StartAsync(store, type);

        var alert = await alerted.NextAsync("the alert");
        Assert.Equal(("tests~lost", 1), (alert.First.Id, alert.Count));
        var dead = Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel));
        Assert.Equal(
            (
                "tests",
                "lost",
                "test.happened",
                reason == "delivery_limit" ? DeadLetterReason.ProcessEnded : DeadLetterReason.DroppedByBroker),
            (dead.Subscription, dead.EventId, dead.EventName, dead.Reason));
        Assert.Contains($"({reason})", dead.Error!, StringComparison.Ordinal);
        Assert.Equal("{\"number\":1}", Encoding.UTF8.GetString(dead.Body.Span));
        Assert.Contains(
            log.Texts,
            text => text.Contains("lost", StringComparison.Ordinal) && text.Contains(dead.Reason.ToString(), StringComparison.Ordinal));
        await UntilEmptyAsync($"{name}.given-up");

        Assert.Equal(1, await app.DeadLetters.RetryAllAsync(cancellationToken: Cancel));

        while (await handled.NextAsync("the retry") != "test.happened lost")
        {
            // This event was still in the queue.
        }

        Assert.Equal(0, await app.DeadLetters.CountAsync(cancellationToken: Cancel));
    }

    /// <summary>
    /// Simulates a process that ended after the store had the event and before the broker got the acknowledgement.
    /// </summary>
    [Fact]
    public async Task Event_DroppedByTheBrokerAndAlreadyStored_IsTheSameDeadLetterAndAlert()
    {
        await using var app = await StartAsync(store: true);
        await PublishAsync("twice", $"{name}.given-up");
        Assert.Equal("unknown~twice", (await alerted.NextAsync("the alert")).First.Id);

        await PublishAsync("twice", $"{name}.given-up");
        await PublishAsync("last", $"{name}.given-up");

        Assert.Equal("unknown~last", (await alerted.NextAsync("the alert of the next event")).First.Id);
        Assert.Equal(2, await app.DeadLetters.CountAsync(cancellationToken: Cancel));
        await UntilEmptyAsync($"{name}.given-up");
    }

    /// <summary>Dead letters of the queue are moved to the store when there is one.</summary>
    [Fact]
    public async Task DeadLetters_RecordedWithoutAStore_AreMovedToTheStore()
    {
        await using (var alone = await StartAsync(store: false))
        {
            await TestBroker.PublishForeignAsync(
                name,
                "test.happened",
                "{ not json"u8.ToArray(),
                new BasicProperties { MessageId = "bad" },
                broker.Uri);
            await alerted.NextAsync("the alert");
            Assert.Equal(1, await alone.DeadLetters.CountAsync(cancellationToken: Cancel));
        }

        await using var app = await StartAsync(store: true);
        await alerted.NextAsync("the alert of the store");

        var dead = Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel));
        Assert.Equal(("tests~bad", DeadLetterReason.Unreadable), (dead.Id, dead.Reason));
        await UntilEmptyAsync($"{name}.dead-letters");
    }

    /// <summary>
    /// The client reads the bytes of the message again: an unreadable header ends no consumer here either.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Event_DroppedByTheBrokerWithAnUnreadableHeader_IsADeadLetterAndClosesNoConnection(bool store)
    {
        await using (await StartAsync(store))
        {
        }

        await SetTimeToLiveAsync();
        await RawPublisher.PublishAsync(
            broker.Uri,
            name,
            "test.happened",
            [RawPublisher.Text("cloudEvents_id", "deep"), RawPublisher.Nested("deep", 25_000)],
            "{\"number\":1}");
        await UntilDeadLetteredAsync();
        await using var app = await StartAsync(store);

        Assert.Equal("tests~deep", (await alerted.NextAsync("the alert")).First.Id);
        Assert.Equal(
            "{\"number\":1}",
            Encoding.UTF8.GetString(Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel)).Body.Span));
        Assert.Equal(2, log.Texts.Count(text => text.Contains("the consuming connection is open", StringComparison.Ordinal)));
    }

    /// <summary>
    /// The death header contains an entry of the broker and, after it, entries of the publisher, which may be
    /// unreadable. It must not assign the event to another subscription.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Event_DroppedByTheBrokerWithAForgedDeathHeader_StaysWithItsSubscription(bool store)
    {
        await using (await StartAsync(store))
        {
        }

        await SetTimeToLiveAsync();
        var forged = RawPublisher.Entry("x-death", 'A', RawPublisher.Long(
            [(byte)'F', .. RawPublisher.Long([
                .. RawPublisher.Text("queue", $"{name}:other"),
                .. RawPublisher.Text("reason", "rejected"),
                .. RawPublisher.Entry("deep", 'D', 29, 0, 0, 0, 1)
            ])]));
        await RawPublisher.PublishAsync(broker.Uri, name, "test.happened", [
            RawPublisher.Text("cloudEvents_id", "forged"),
            forged,
            RawPublisher.Text("eventbus-subscription", "other"),
            RawPublisher.Text("eventbus-error", "forged")
        ], "{\"number\":1}");
        await UntilDeadLetteredAsync();
        await using var app = await StartAsync(store);

        Assert.Equal("tests~forged", (await alerted.NextAsync("the alert")).First.Id);
        var dead = Assert.Single(await app.DeadLetters.ListAsync(cancellationToken: Cancel));
        Assert.Equal(("tests", DeadLetterReason.DroppedByBroker), (dead.Subscription, dead.Reason));
        Assert.Contains("(expired)", dead.Error!, StringComparison.Ordinal);
    }

    public void Dispose() => log.Dispose();

    private async Task DropAsync(string reason)
    {
        switch (reason)
        {
            case "expired":
                await SetTimeToLiveAsync();
                await PublishAsync("lost");
                break;
            case "maxlen":
                await SetPolicyAsync("{\"max-length\":1}");
                await PublishAsync("lost");
                await PublishAsync("kept");
                break;
            case "rejected":
                await PublishAsync("lost");
                await TakeAsync((channel, taken) => channel.BasicRejectAsync(taken.DeliveryTag, requeue: false, Cancel));
                break;
            default:
                await PublishAsync("lost");
                for (var death = 1; death <= 3; death++)
                {
                    await TakeAsync((_, _) => ValueTask.CompletedTask);
                }

                break;
        }

        await UntilDeadLetteredAsync();
    }

    private Task SetTimeToLiveAsync() => SetPolicyAsync("{\"message-ttl\":50}");

    private Task<string> SetPolicyAsync(string definition) =>
        broker.Node.ControlAsync("set_policy", name, $"^{name}:tests$", definition, "--apply-to", "queues");

    private async Task PublishAsync(string id, string? queue = null)
    {
        await using var connection = await new ConnectionFactory { Uri = broker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), Cancel);
        await channel.BasicPublishAsync(
            queue is null ? name : "",
            queue ?? "test.happened",
            mandatory: true,
            new BasicProperties { MessageId = id },
            "{\"number\":1}"u8.ToArray(),
            Cancel);
    }

    /// <summary>Takes the event, settles it with an action, and disconnects.</summary>
    private async Task TakeAsync(Func<IChannel, BasicGetResult, ValueTask> settle)
    {
        await using var connection = await new ConnectionFactory { Uri = broker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        BasicGetResult? taken = null;
        await Until.TrueAsync(
            "the event is in the queue",
            async () => (taken = await channel.BasicGetAsync($"{name}:tests", autoAck: false, Cancel)) is not null,
            Cancel);
        await settle(channel, taken!);
    }

    /// <summary>Waits until the broker has dead-lettered one event. No instance consumes yet.</summary>
    private async Task UntilDeadLetteredAsync()
    {
        await using var connection = await new ConnectionFactory { Uri = broker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        await Until.TrueAsync(
            "the broker has dead-lettered the event",
            async () => await channel.MessageCountAsync($"{name}.given-up", Cancel) == 1,
            Cancel);
    }

    /// <summary>Waits until a queue has no messages, including unacknowledged ones.</summary>
    private async Task UntilEmptyAsync(string queue)
    {
        var held = "";
        await Until.TrueAsync(
            () => $"the queue {queue} holds no messages, not {held}",
            TestBroker.Patience,
            async () => (held = await HeldAsync()) == "0",
            Cancel);

        async Task<string> HeldAsync() =>
            (await broker.Node.ControlAsync("--silent", "list_queues", "name", "messages")).Split('\n')
                .Select(line => line.Split('\t'))
                .FirstOrDefault(line => line[0] == queue)?[1].Trim() ?? "";
    }

    private Task<TestBus> StartAsync(bool store, RabbitMqQueueType type = RabbitMqQueueType.Quorum) => TestBus.StartAsync(name, bus =>
    {
        bus.Services.AddSingleton(alerted);
        bus.Services.AddLogging(logging => logging.AddProvider(log));
        bus.UseRabbitMq(broker.Uri.AbsoluteUri, options => (
            options.Exchange,
            options.QueueType,
            options.DeliveryLimit,
            options.RetrySteps) = (name, type, 2, [TimeSpan.FromMilliseconds(100)]));
        if (store)
        {
            bus.StoreInMemory();
        }

        bus.Configure(options => options.AlertInterval = TimeSpan.FromMilliseconds(100))
            .AddAlert<Alert>()
            .Subscribe<TestHappened>("tests", (_, context, _) =>
            {
                handled.Add($"{context.EventName} {context.EventId}");
                return Task.CompletedTask;
            });
    });

    private sealed class Alert(Seen<DeadLetterAlert> seen) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            seen.Add(alert);
            return Task.CompletedTask;
        }
    }
}
