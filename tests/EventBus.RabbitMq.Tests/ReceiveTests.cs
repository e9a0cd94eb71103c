using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

public sealed partial class ReceiveTests
{
    private static readonly Subscription Orders = new("orders", [EventPattern.Parse("order.#")]);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Delivery_ConnectionClosed_IsLostAndRedeliveredAndLateAcksAreHarmless()
    {
        var name = TestBroker.NewName();
        await using var proxy = new TcpProxy();
        await using (var transport = await TestBroker.StartTransportAsync(name, proxy.Uri, Orders))
        {
            await using var receiver = await transport.SubscribeAsync(Orders, Cancel);
            await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray(), new BasicProperties { MessageId = "one" });
            var first = await NextAsync(receiver);
            Assert.Equal(0, first.EarlierDeliveries);
            var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var registration = first.Lost.Register(lost.SetResult);

            proxy.Sever();
            await lost.Task.WaitAsync(TestBroker.Patience, Cancel);
            var again = await NextAsync(receiver);
            await first.AckAsync();
            await first.ReleaseAsync();

            Assert.Equal(("one", true), (again.Envelope.Id, again.EarlierDeliveries > 0));
            Assert.False(again.Lost.IsCancellationRequested);
        }

        // The second delivery was not acknowledged, although it has the tag of the first one: it is still in the queue.
        await using var later = await TestBroker.StartTransportAsync(name, null, Orders);
        await using var successor = await later.SubscribeAsync(Orders, Cancel);
        var third = await NextAsync(successor);
        Assert.Equal("one", third.Envelope.Id);
    }

    /// <summary>
    /// L2: publishers stop last. Events that a running handler publishes while the bus stops are sent before the stop
    /// completes.
    /// </summary>
    [Fact]
    public async Task Stop_WhileAHandlerPublishes_SendsItsEventFirst()
    {
        var name = TestBroker.NewName();
        var (begun, resume) = (
            new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously),
            new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        Task stopped;
        await using (var app = await TestBus.StartAsync(
            name,
            null,
            bus => bus.Publishes<FollowUp>().Subscribe<TestHappened>("tests", async (e, context, token) =>
            {
                begun.TrySetResult();
                await resume.Task;
                await context.PublishAsync(new FollowUp(e.Number), token);
            }).Subscribe<FollowUp>("follow-ups", (_, _, _) => throw new InvalidOperationException("not here: the bus stops"))))
        {
            await app.Bus.PublishAsync(new TestHappened(1), Cancel);
            await begun.Task.WaitAsync(TestBroker.Patience, Cancel);
            stopped = app.DisposeAsync().AsTask();

            // The stop has begun when other callers are refused.
            await Until.TrueAsync("the bus begins to stop", async () => !await IsAcceptedAsync(app), Cancel);

            resume.SetResult();
            await stopped.WaitAsync(TestBroker.Patience, Cancel);
        }

        var handled = new Seen<int>();
        await using var next = await TestBus.StartAsync(name, null, bus => bus.Subscribe<FollowUp>("follow-ups", (e, _, _) =>
        {
            handled.Add(e.Number);
            return Task.CompletedTask;
        }));
        Assert.Equal(1, await handled.NextAsync("the event that was published during the stop"));

        static async Task<bool> IsAcceptedAsync(TestBus app)
        {
            try
            {
                await app.Bus.PublishAsync(new Unheard(), Cancel);
                return true;
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Delivery_SettledTwice_DoesNotCloseTheChannel()
    {
        var name = TestBroker.NewName();
        await using var transport = await TestBroker.StartTransportAsync(name, null, Orders);
        await using var receiver = await transport.SubscribeAsync(Orders, Cancel);
        await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray(), new BasicProperties { MessageId = "1" });
        await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray(), new BasicProperties { MessageId = "2" });
        var (first, second) = (await NextAsync(receiver), await NextAsync(receiver));

        await first.AckAsync();
        await first.AckAsync();
        await first.ReleaseAsync();

        // The broker would close the channel before it sends another message through it.
        await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray(), new BasicProperties { MessageId = "3" });
        Assert.Equal("3", (await NextAsync(receiver)).Envelope.Id);
        Assert.False(second.Lost.IsCancellationRequested);
    }

    [Fact]
    public async Task StopIntake_OrderedSubscription_StandbyContinuesInOrder()
    {
        var name = TestBroker.NewName();
        var ordered = Orders with { Ordered = true };
        await using var transport = await TestBroker.StartTransportAsync(name, null, ordered);
        await using var standby = await TestBroker.StartTransportAsync(name, null, ordered);
        var active = await transport.SubscribeAsync(ordered, Cancel);
        await using var next = await standby.SubscribeAsync(ordered, Cancel);
        await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray(), new BasicProperties { MessageId = "1" });
        await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray(), new BasicProperties { MessageId = "2" });
        await NextAsync(active);
        Assert.True(await active.Deliveries.WaitToReadAsync(Cancel).AsTask().WaitAsync(TestBroker.Patience, Cancel));

        await active.StopIntakeAsync();
        await active.DisposeAsync();

        Assert.Equal("1", (await NextAsync(next)).Envelope.Id);
        Assert.Equal("2", (await NextAsync(next)).Envelope.Id);
    }

    [Fact]
    public async Task Handler_ConnectionClosedWhileItRuns_EveryEventIsHandled()
    {
        var name = TestBroker.NewName();
        await using var proxy = new TcpProxy();
        var (started, handled) = (new Seen<int>(), new Seen<int>());
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestBus.StartAsync(name, proxy.Uri, bus => bus.Subscribe<TestHappened>("orders", async (e, _, token) =>
        {
            started.Add(e.Number);
            await go.Task.WaitAsync(token);
            handled.Add(e.Number);
        }));
        await app.Bus.PublishManyAsync([.. Enumerable.Range(0, 10).Select(i => new TestHappened(i))], null, Cancel);
        for (var i = 0; i < 10; i++)
        {
            await started.NextAsync("ten handlers are running");
        }

        proxy.Sever();
        // Publishes one event at a time, because each of them may have closed the connection.
        await started.NextAsync("a handler runs again after the connection was closed");
        go.SetResult();
        var missing = Enumerable.Range(0, 10).ToHashSet();
        while (missing.Count > 0)
        {
            missing.Remove(await handled.NextAsync($"{missing.Count} more events are handled"));
        }

        Assert.Equal(0, await app.DeadLetters.CountAsync(cancellationToken: Cancel));
    }

    [Fact]
    public async Task Release_OrderedSubscription_RestartsInTheOrderOfTheLog()
    {
        var name = TestBroker.NewName();
        var ordered = Orders with { Ordered = true, Concurrency = 8 };
        await using var transport = await TestBroker.StartTransportAsync(name, null, ordered);
        await using var receiver = await transport.SubscribeAsync(ordered, Cancel);
        foreach (var id in new[] { "1", "2", "3" })
        {
            await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray(), new BasicProperties { MessageId = id });
        }

        var (first, second) = (await NextAsync(receiver), await NextAsync(receiver));
        await second.ReleaseAsync();
        await first.AckAsync();

        List<string> ids = [];
        for (var i = 0; i < 3; i++)
        {
            ids.Add((await NextAsync(receiver)).Envelope.Id);
        }

        Assert.True(first.Lost.IsCancellationRequested);
        Assert.Equal(["1", "2", "3"], ids);
    }

    [Fact]
    public async Task StopIntake_BufferedDeliveries_AreReleasedAndTakenOnesCanBeSettled()
    {
        var name = TestBroker.NewName();
        await using var transport = await TestBroker.StartTransportAsync(name, null, Orders);
        var receiver = await transport.SubscribeAsync(Orders, Cancel);
        foreach (var id in new[] { "1", "2" })
        {
            await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray(), new BasicProperties { MessageId = id });
        }

        var taken = await NextAsync(receiver);
        await receiver.StopIntakeAsync();
        Assert.False(await receiver.Deliveries.WaitToReadAsync(Cancel));
        await taken.AckAsync();
        await receiver.DisposeAsync();
        await receiver.DisposeAsync();

        await using var successor = await transport.SubscribeAsync(Orders, Cancel);
        var other = await NextAsync(successor);
        Assert.Equal("2", other.Envelope.Id);
        await other.AckAsync();
    }

    [Fact]
    public async Task ForeignMessage_RoutingKeyAndJsonOnly_IsHandledWithDefaults()
    {
        var name = TestBroker.NewName();
        var seen = new Seen<(int Number, string Id, string Name, string? Header)>();
        await using var app = await TestBus.StartAsync(name, null, bus => bus.Subscribe<TestHappened>("orders", (e, context, _) =>
        {
            seen.Add((e.Number, context.EventId, context.EventName, context.Headers.GetValueOrDefault("x-request-id")));
            return Task.CompletedTask;
        }));

        await TestBroker.PublishForeignAsync(name, "test.happened", """{"number":7}"""u8.ToArray());
        var bare = await seen.NextAsync("a message without properties is handled");
        await TestBroker.PublishForeignAsync(
            name,
            "test.happened",
            """{"number":8}"""u8.ToArray(),
            new BasicProperties { MessageId = "m-8", Headers = new Dictionary<string, object?> { ["x-request-id"] = "r", ["n"] = 5 } });
        var named = await seen.NextAsync("a message with an id is handled");

        Assert.Equal((7, "test.happened"), (bare.Number, bare.Name));
        Assert.StartsWith("sha256-", bare.Id, StringComparison.Ordinal);
        Assert.Equal((8, "m-8", "test.happened", "r"), named);
    }

    [Theory]
    [InlineData("{ this is no JSON", null)]
    [InlineData("""{"number":1}""", "yesterday")]
    public async Task UnreadableMessage_BodyOrAttribute_BecomesADeadLetterWithItsBytes(string body, string? time)
    {
        var name = TestBroker.NewName();
        var bytes = Encoding.UTF8.GetBytes(body);
        var alerts = new Seen<DeadLetter>();
        await using var app = await TestBus.StartAsync(name, null, bus =>
        {
            bus.Subscribe<TestHappened>("orders", (_, _, _) => Task.CompletedTask).AddAlert<Alert>();
            bus.Services.AddSingleton(alerts);
        });

        await TestBroker.PublishForeignAsync(name, "test.happened", bytes, new BasicProperties
        {
            MessageId = "bad",
            Headers = time is null ? null : new Dictionary<string, object?> { ["cloudEvents_time"] = time }
        });

        var letter = await alerts.NextAsync("an alert of the unreadable message is sent");
        Assert.Equal(("bad", DeadLetterReason.Unreadable), (letter.EventId, letter.Reason));
        Assert.Equal(bytes, letter.Body.ToArray());
    }

    private static async Task<Delivery> NextAsync(Receiver receiver)
    {
        using var patience = new CancellationTokenSource(TestBroker.Patience, TimeProvider.System);
        return await receiver.Deliveries.ReadAsync(patience.Token);
    }

    private sealed class Alert(Seen<DeadLetter> alerts) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            alerts.Add(alert.First);
            return Task.CompletedTask;
        }
    }
}
