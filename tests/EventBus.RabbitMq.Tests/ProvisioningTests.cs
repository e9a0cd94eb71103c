using System.Runtime.ExceptionServices;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests the creation and the check of entities, and the use of registered connections.</summary>
public sealed class ProvisioningTests
{
    private readonly string name = TestBroker.NewName();
    private readonly Seen<int> handled = new();
    private readonly Seen<string> seen = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_SeveralQueuesOfAnotherKind_IsOneErrorThatShowsTheDifferencesAndTheFix()
    {
        await DeclareClassicAsync($"{name}:mail");
        await DeclareClassicAsync($"{name}:stock");
        var error = await Assert.ThrowsAsync<EventBusException>(
            () => StartAsync(RabbitMqProvisioning.Create, RabbitMqQueueType.Quorum, "mail", "stock"));

        Assert.Contains($"the queue '{name}:mail' exists with other arguments", error.Message, StringComparison.Ordinal);
        Assert.Contains($"the queue '{name}:stock' exists with other arguments", error.Message, StringComparison.Ordinal);
        Assert.Contains("inequivalent arg", error.Message, StringComparison.Ordinal);
        Assert.Contains("Delete it (a queue only once it is empty)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Validate_NothingThere_IsOneErrorThatNamesAllAndCreatesNothing()
    {
        for (var i = 0; i < 2; i++)
        {
            var error = await Assert.ThrowsAsync<EventBusException>(
                () => StartAsync(RabbitMqProvisioning.Validate, RabbitMqQueueType.Quorum, "mail"));
            Assert.Contains($"the exchange '{name}' is missing", error.Message, StringComparison.Ordinal);
            Assert.Contains($"Create a durable queue '{name}:mail' with x-queue-type=quorum", error.Message, StringComparison.Ordinal);
            Assert.Contains($"bound to '{name}' with the key 'test.happened'", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(RabbitMqProvisioning.Validate)]
    [InlineData(RabbitMqProvisioning.Off)]
    public async Task Validate_EverythingThere_Runs(RabbitMqProvisioning provision)
    {
        await using (await StartAsync(RabbitMqProvisioning.Create, RabbitMqQueueType.Quorum, "mail"))
        {
        }

        await using var app = await StartAsync(provision, RabbitMqQueueType.Quorum, "mail");
        await app.Bus.PublishAsync(new TestHappened(3), Cancel);
        Assert.Equal(3, await handled.NextAsync("the event"));
    }

    [Fact]
    public async Task Validate_QueueOfAnotherKind_IsAnErrorThatShowsTheDifference()
    {
        await using (await StartAsync(RabbitMqProvisioning.Create, RabbitMqQueueType.Quorum, "mail"))
        {
        }

        var error =
            await Assert.ThrowsAsync<EventBusException>(() => StartAsync(RabbitMqProvisioning.Validate, RabbitMqQueueType.Classic, "mail"));
        Assert.Matches("inequivalent arg 'x-.*received.*current", error.Message);
        Assert.Contains("The bus declares a durable queue", error.Message, StringComparison.Ordinal);
        Assert.Contains("x-queue-type=classic", error.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// A subscription never gets the queue of another subscription or of the bus itself, whatever its name is.
    /// </summary>
    [Fact]
    public async Task Create_SubscriptionsNamedLikeQueuesOfTheBus_HaveTheirOwnQueues()
    {
        string[] subscriptions = ["alerts", "dead-letters", "mail", "mail.retries", "retries", "wait-5000ms"];
        await using var app = await TestBus.StartAsync(name, bus =>
        {
            bus.UseRabbitMq(
                TestBroker.Uri.AbsoluteUri,
                options => (options.Exchange, options.RetrySteps) = (name, [TimeSpan.FromMilliseconds(100)]));
            foreach (var subscription in subscriptions)
            {
                bus.Subscribe<TestHappened>(subscription, (_, context, _) =>
                {
                    if (context.Attempt == 1)
                    {
                        throw new InvalidOperationException("Once, so that the retry queues have work too.");
                    }

                    seen.Add(subscription);
                    return Task.CompletedTask;
                });
            }
        });

        await app.Bus.PublishAsync(new TestHappened(1), Cancel);

        List<string> found = [];
        while (found.Count < subscriptions.Length)
        {
            found.Add(await seen.NextAsync("the event, once in each subscription"));
        }

        Assert.Equal(subscriptions, found.Order(StringComparer.Ordinal));
        Assert.Equal(0, await app.DeadLetters.CountAsync(cancellationToken: Cancel));
    }

    /// <summary>
    /// The service <c>x</c> with the subscription <c>orders.mail</c>, and the service <c>x.orders</c> with <c>mail</c>.
    /// </summary>
    [Fact]
    public async Task Create_TwoServicesWhoseJoinedNamesAreEqual_DoNotShareAQueue()
    {
        await using var one = await StartAsync(name, "orders.mail", "one");
        await using var other = await StartAsync($"{name}.orders", "mail", "other");

        await one.Bus.PublishAsync(new TestHappened(1), Cancel);

        Assert.Equal(
            ["one", "other"],
            new[] { await seen.NextAsync("the event in one service"), await seen.NextAsync("the event of the other queue") }.Order());

        Task<TestBus> StartAsync(string service, string subscription, string label) => TestBus.StartAsync(service, bus => bus
            .UseRabbitMq(TestBroker.Uri.AbsoluteUri, options => options.Exchange = name).StoreInMemory()
            .Subscribe<TestHappened>(subscription, (_, _, _) =>
            {
                seen.Add(label);
                return Task.CompletedTask;
            }));
    }

    [Fact]
    public async Task Create_QueueWithAnotherDeliveryLimit_IsAnErrorThatShowsBoth()
    {
        await using (await StartAsync(1_000_000))
        {
        }

        var error = await Assert.ThrowsAsync<EventBusException>(() => StartAsync(200));
        Assert.Contains($"the queue '{name}:mail' exists with other arguments", error.Message, StringComparison.Ordinal);
        Assert.Matches("x-delivery-limit.*'?200'?.*1000000", error.Message);

        Task<TestBus> StartAsync(int limit) => TestBus.StartAsync(name, bus => bus
            .UseRabbitMq(TestBroker.Uri.AbsoluteUri, options => (options.Exchange, options.DeliveryLimit) = (name, limit)).StoreInMemory()
            .Subscribe<TestHappened>("mail", (_, _, _) => Task.CompletedTask));
    }

    /// <summary>
    /// An event that is published directly after a reconnection is not reported as unrouted while the channel of the
    /// subscription is not open yet.
    /// </summary>
    [Fact]
    public async Task Reconnect_QueueDeletedMeanwhile_IsRecreatedBeforeAnythingIsPublished()
    {
        await using var proxy = new TcpProxy();
        var orders = new Subscription("orders", [EventPattern.Parse("order.placed")]);
        await using var transport = await TestBroker.StartTransportAsync(name, proxy.Uri, orders);
        proxy.Refuse = true;
        proxy.Sever();
        await using (var connection = await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel))
        await using (var channel = await connection.CreateChannelAsync(cancellationToken: Cancel))
        {
            await channel.QueueDeleteAsync($"{name}:orders", ifUnused: false, ifEmpty: false, cancellationToken: Cancel);
        }

        var outcomes = new PublishOutcome[1];
        var publishing = transport.PublishAsync(
            new[] { new Envelope(new EnvelopeAttributes { Id = "1", Name = "order.placed" }, "{}"u8.ToArray()) },
            outcomes,
            Cancel);
        proxy.Refuse = false;
        await publishing.AsTask().WaitAsync(TestBroker.Patience, Cancel);

        Assert.Equal(PublishStatus.Accepted, outcomes[0].Status);
    }

    [Fact]
    public async Task Off_QueueMissing_IsAnErrorThatNamesIt()
    {
        var error =
            await Assert.ThrowsAsync<EventBusException>(() => StartAsync(RabbitMqProvisioning.Off, RabbitMqQueueType.Quorum, "mail"));
        Assert.Contains($"{name}:mail", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task RegisteredClient_FactoryOrConnection_IsUsedAndLeftOpen(bool asFactory)
    {
        var factory = new ConnectionFactory { Uri = TestBroker.Uri };
        await using var connection = await factory.CreateConnectionAsync(Cancel);
        await using (var app = await TestBus.StartAsync(name, bus =>
        {
            _ = asFactory ? bus.Services.AddSingleton<IConnectionFactory>(factory) : bus.Services.AddSingleton(connection);
            bus.UseRabbitMq(options => options.Exchange = name).StoreInMemory();
            Subscribe(bus, "mail");
        }))
        {
            await app.Bus.PublishAsync(new TestHappened(4), Cancel);
            Assert.Equal(4, await handled.NextAsync("the event"));
        }

        Assert.True(connection.IsOpen);
    }

    [Fact]
    public async Task RegisteredConnection_LostAndRecoveredByItself_Continues()
    {
        await using var proxy = new TcpProxy();
        var factory = new ConnectionFactory { Uri = proxy.Uri, NetworkRecoveryInterval = TimeSpan.FromMilliseconds(50) };
        await using var connection = await factory.CreateConnectionAsync(Cancel);
        await using var app = await TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddSingleton(connection);
            bus.UseRabbitMq(options => options.Exchange = name).StoreInMemory();
            Subscribe(bus, "mail");
        });
        var recovered = new TaskCompletionSource();
        connection.RecoverySucceededAsync += (_, _) =>
        {
            recovered.TrySetResult();
            return Task.CompletedTask;
        };
        proxy.Sever();
        await recovered.Task.WaitAsync(TestBroker.Patience, Cancel);
        await app.Bus.PublishAsync(new TestHappened(5), Cancel);
        Assert.Equal(5, await handled.NextAsync("the event after the recovery"));
    }

    [Fact]
    public async Task RegisteredClient_Missing_NamesTheRegistration()
    {
        var error = await Assert.ThrowsAnyAsync<Exception>(() => TestBus.StartAsync(name, bus => bus.UseRabbitMq()));
        Assert.Contains("IConnectionFactory", error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("amqp://user:p%40ss%2Fw%3Ard@broker:5673/shop%2Fnorth", "broker:5673")]
    [InlineData("amqp://user:secret@broker/%2f", "broker:5672")]
    [InlineData("amqp://user:secret@broker/", "broker:5672")]
    [InlineData("amqps://user:secret@broker", "broker:5671")]
    [InlineData("amqp://broker", "broker:5672")]
    [InlineData("amqp://user:secret@one,two:5673,[::1]:5674/shop", "one:5672,two:5673,[::1]:5674")]
    [InlineData("amqps://user:a,b@one, two", "one:5671,two:5671")]
    public void ConnectionString_AsHostingToolsWriteIt_IsParsedAndNotShown(string text, string place) =>
        Assert.Equal(place, RabbitMqConnectionSource.Of(text, new RabbitMqOptions()).Address);

    [Theory]
    [InlineData("broker;password=kX9-canary")]
    [InlineData("rabbitmq://user:kX9-canary@host:5672")]
    [InlineData("user:kX9-canary@host:5672")]
    [InlineData("host=host;password=kX9-canary")]
    [InlineData("amqp://user:kX9-canary@host:5672//")]
    [InlineData("amqp://user:kX9-canary@host:5672/shop?heartbeat=30")]
    [InlineData("amqp://user:12/kX9-canary@host:5672/shop")]
    [InlineData("amqp://user:12/kX9-canary@host")]
    [InlineData("amqp://user:12#kX9-canary@host")]
    [InlineData("amqp://user:12?kX9-canary@host")]
    [InlineData("amqp://user:kX9-canary:12@host")]
    [InlineData("amqp://user:secret@host/kX9-canary/north")]
    [InlineData("amqp://user:kX9-canary@one,,two")]
    [InlineData("amqp://user:12@kX9-canary,one:port")]
    public void ConnectionString_Invalid_IsRefusedAndNotShown(string text)
    {
        var thrown = new List<string>();
        EventHandler<FirstChanceExceptionEventArgs> listen = (_, first) => thrown.Add(first.Exception.Message);
        AppDomain.CurrentDomain.FirstChanceException += listen;
        var error = Assert.Throws<ArgumentException>(() => RabbitMqConnectionSource.Of(text, new RabbitMqOptions()));
        AppDomain.CurrentDomain.FirstChanceException -= listen;

        Assert.DoesNotContain("kX9", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(thrown.ToArray(), message => message.Contains("kX9", StringComparison.Ordinal));
        Assert.Contains("amqp://user:password@host:5672/virtual-host", error.Message, StringComparison.Ordinal);
    }

    private static async Task DeclareClassicAsync(string queue)
    {
        await using var connection = await new ConnectionFactory { Uri = TestBroker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, cancellationToken: Cancel);
    }

    private Task<TestBus> StartAsync(RabbitMqProvisioning provision, RabbitMqQueueType kind, params string[] subscriptions) =>
        TestBus.StartAsync(name, bus =>
        {
            bus.UseRabbitMq(
                TestBroker.Uri.AbsoluteUri,
                options => (options.Exchange, options.Provisioning, options.QueueType) = (name, provision, kind)).StoreInMemory();
            Array.ForEach(subscriptions, subscription => Subscribe(bus, subscription));
        });

    private void Subscribe(EventBusBuilder bus, string subscription) => bus.Subscribe<TestHappened>(subscription, (e, _, _) =>
    {
        handled.Add(e.Number);
        return Task.CompletedTask;
    });
}
