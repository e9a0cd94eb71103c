using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

public sealed class ReceiveTests
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

        // The second delivery was not acknowledged, although it has the tag of the first: it is still there.
        await using var later = await TestBroker.StartTransportAsync(name, null, Orders);
        await using var successor = await later.SubscribeAsync(Orders, Cancel);
        var third = await NextAsync(successor);
        Assert.Equal("one", third.Envelope.Id);
    }

    /// <summary>
    /// L2: publishers stop last. What a handler in flight publishes while the bus stops is sent before the bus has
    /// ended.
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

            // The stop has begun when outsiders are refused.
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

        // The broker would end the channel before it sends anything more through it.
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
            await started.NextAsync("ten handlers have begun");
        }

        proxy.Sever();
        // One at a time: each of them may be what cut the connection.
        await started.NextAsync("a handler begins again after the cut");
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

    /// <summary>
    /// Everything that shows that the broker lives counts, and not only its answer to a question that waits behind
    /// large events.
    /// </summary>
    [Theory]
    [InlineData(true, 40, 200_000)]
    [InlineData(false, 40, 200_000)]
    [InlineData(false, 2, 4_000_000)]
    public async Task Connection_Slow_IsNotClosed(bool toServer, int count, int length)
    {
        var (name, log, handled) = (TestBroker.NewName(), new LogList(), new Seen<int>());
        await using (await StartAsync(TestBroker.Uri, receives: true))
        {
        }

        await using var proxy = new TcpProxy();

        // Of each 16 KB: 2 MB a second. 8 MB take four times as long as silence is accepted, and one event of 4 MB
        // twice as long.
        (toServer ? proxy.ToServer : proxy.ToClient).Delay = TimeSpan.FromMilliseconds(8);
        await using var publisher = await StartAsync(toServer ? proxy.Uri : TestBroker.Uri, receives: false);
        await publisher.Bus.PublishManyAsync(
            [.. Enumerable.Range(0, count).Select(_ => new Big(new string('x', length)))],
            new PublishOptions { Timeout = TimeSpan.FromMinutes(1) },
            Cancel);
        await using var receiver = await StartAsync(toServer ? TestBroker.Uri : proxy.Uri, receives: true);
        for (var i = 0; i < count; i++)
        {
            Assert.Equal(1, await handled.NextAsync($"event {i}"));
        }

        Assert.DoesNotContain(log.Texts, text => text.Contains("no sign of life", StringComparison.Ordinal));

        Task<TestBus> StartAsync(Uri uri, bool receives) => TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddLogging(logging => logging.AddProvider(log));
            bus.UseRabbitMq(uri.AbsoluteUri, options => (options.Exchange, options.SilenceTimeout) = (name, TimeSpan.FromSeconds(1)))
                .StoreInMemory()
                .Publishes<Big>()
                .Configure(options => options.MaxBodyBytes = 8_000_000);
            if (receives)
            {
                bus.Subscribe<Big>("tests", (_, context, _) =>
                {
                    handled.Add(context.Attempt);
                    return Task.CompletedTask;
                });
            }
        });
    }

    /// <summary>
    /// The looks at the queues wait behind large events: what is heard meanwhile shows that the broker is there.
    /// </summary>
    [Fact]
    public async Task Connection_SlowWhileQueuesAreChecked_IsNotClosedAndEveryEventIsAccepted()
    {
        var (name, log, handled) = (TestBroker.NewName(), new LogList(), new Seen<int>());
        await using var proxy = new TcpProxy();
        await using var app = await TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddLogging(logging => logging.AddProvider(log));
            bus.UseRabbitMq(proxy.Uri.AbsoluteUri, options => (options.Exchange, options.CallTimeout) = (name, TimeSpan.FromSeconds(1)))
                .StoreInMemory()
                .Subscribe<Big>("tests", (_, context, _) =>
                {
                    handled.Add(context.Attempt);
                    return Task.CompletedTask;
                });
        });

        // Of each 16 KB: 2 MB a second, and so 10 s.
        proxy.ToServer.Delay = TimeSpan.FromMilliseconds(8);
        await app.Bus.PublishManyAsync(
            [.. Enumerable.Range(0, 100).Select(_ => new Big(new string('x', 200_000)))],
            new PublishOptions { Timeout = TimeSpan.FromMinutes(1) },
            Cancel);

        for (var i = 0; i < 100; i++)
        {
            await handled.NextAsync($"event {i}");
        }

        Assert.DoesNotContain(log.Texts, text => text.Contains("connection is lost", StringComparison.Ordinal));
    }

    /// <summary>A pass over many queues takes longer than one call may.</summary>
    [Fact]
    public async Task Binding_OfTheLastOfManyQueues_IsRecreatedOverASlowConnection()
    {
        var (name, log) = (TestBroker.NewName(), new LogList());
        await using var proxy = new TcpProxy();
        await using var app = await TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddLogging(logging => logging.AddProvider(log));
            bus.UseRabbitMq(proxy.Uri.AbsoluteUri, options => (options.Exchange, options.CallTimeout) = (name, TimeSpan.FromSeconds(1)))
                .StoreInMemory();
            for (var i = 100; i < 140; i++)
            {
                bus.Subscribe<TestHappened>($"tests-{i}", (_, _, _) => Task.CompletedTask);
            }

            bus.Subscribe<FollowUp>("tests-last", (_, _, _) => Task.CompletedTask);
        });

        // Two calls for each queue, 100 ms each.
        proxy.ToClient.Delay = TimeSpan.FromMilliseconds(100);
        await using var connection = await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true), Cancel);
        await channel.QueueUnbindAsync($"{name}:tests-last", name, "test.followed", cancellationToken: Cancel);

        await Until.TrueAsync("the last queue is bound again", IsBoundAsync, Cancel);

        Assert.DoesNotContain(log.Texts, text => text.Contains("connection is lost", StringComparison.Ordinal));

        async Task<bool> IsBoundAsync()
        {
            try
            {
                await channel.BasicPublishAsync(name, "test.followed", mandatory: true, "{}"u8.ToArray(), Cancel);
                return true;
            }
            catch (RabbitMQ.Client.Exceptions.PublishException exception) when (exception.IsReturn)
            {
                return false;
            }
        }
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
