using System.Net;
using System.Net.Sockets;
using EventBus.Conformance;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests starts while the broker is down or refuses connections, and queues that are no longer used.</summary>
public sealed class StartTests
{
    private static readonly Subscription Orders = new("orders", [EventPattern.Parse("order.#")]);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Start_BrokerUnreachable_IsDegradedAndRecoversOnceItIsBack()
    {
        await using var proxy = new TcpProxy { Refuse = true };
        var handled = new Seen<int>();
        await using var app = await TestBus.StartAsync(TestBroker.NewName(), proxy.Uri, bus =>
            bus.Configure(options => options.PublishTimeout = TimeSpan.FromMilliseconds(200)).Subscribe<TestHappened>("tests", (e, _, _) =>
            {
                handled.Add(e.Number);
                return Task.CompletedTask;
            }));
        var health = app.Services.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync(Cancel)).Status);
        var failure = await Assert.ThrowsAsync<PublishException>(() => app.Bus.PublishAsync(new TestHappened(0), Cancel));
        Assert.Equal(PublishFailure.Failed, failure.Failure);

        proxy.Refuse = false;
        await Until.TrueAsync(
            "the bus is healthy again after its broker has started",
            async () => (await health.CheckHealthAsync(Cancel)).Status == HealthStatus.Healthy,
            Cancel);
        await app.Bus.PublishAsync(new TestHappened(1), Cancel);
        Assert.Equal(1, await handled.NextAsync("the event that was published after the broker had started"));
    }

    /// <summary>
    /// If one node of a cluster is down, refuses connections or discards all data, another node is used.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Hosts_OneOfSeveralIsUnreachable_AnotherIsUsed(bool drops)
    {
        await using var first = new TcpProxy();
        await using var second = new TcpProxy();
        TcpProxy[] proxies = [first, second];
        var handled = new Seen<int>();
        var address = first.Uri.AbsoluteUri.Replace($":{first.Port}", $":{first.Port},127.0.0.1:{second.Port}", StringComparison.Ordinal);
        await using var app = await TestBus.StartAsync(TestBroker.NewName(), bus => bus
            .UseRabbitMq(address, options => options.SilenceTimeout = TimeSpan.FromMilliseconds(500))
            .StoreInMemory()
            .Subscribe<TestHappened>("tests", (e, _, _) =>
            {
                handled.Add(e.Number);
                return Task.CompletedTask;
            }));

        for (var round = 0; round < 4; round++)
        {
            // All connections use the first proxy, then all use the second one.
            var (down, remaining) = (proxies[round % 2], proxies[(round + 1) % 2]);
            (remaining.Mute, remaining.Refuse) = (false, false);
            (down.Mute, down.Refuse) = (drops, !drops);
            down.Sever();
            await app.PublishUntilAcceptedAsync(new TestHappened(round));
            while (await handled.NextAsync($"the event of round {round}") != round)
            {
                // An earlier event that was in doubt and was sent again.
            }
        }
    }

    /// <summary>
    /// A connection whose node is frozen connects to the other node next, however often another connection was opened
    /// in the meantime.
    /// </summary>
    [Fact]
    public void Hosts_OfTwoConnections_EachHasItsOwnOrder()
    {
        var source = RabbitMqConnectionSource.Of("amqp://one,two", new RabbitMqOptions());
        var (publishing, consuming) = (source.CreateHosts()!, source.CreateHosts()!);

        var first = publishing.All().First().HostName;
        _ = consuming.All().First();

        Assert.NotEqual(first, publishing.All().First().HostName);
    }

    [Fact]
    public async Task Start_BrokerUnreachableAndFailFast_Throws()
    {
        await using var proxy = new TcpProxy { Refuse = true };
        await using var transport = new RabbitMqTransport(RabbitMqBuilderExtensions.Connect(
            proxy.Uri.AbsoluteUri,
            new RabbitMqOptions { CallTimeout = TimeSpan.FromMilliseconds(200) },
            new LoggerFactory([Canary.Log])));
        var error = await Assert.ThrowsAsync<EventBusException>(() =>
            transport.StartAsync(new TransportTopology("app", [], [], TimeProvider.System) { FailFast = true }, Cancel).AsTask());

        Assert.Contains($"{proxy.Uri.Host}:{proxy.Uri.Port}", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WrongPassword_ThrowsEvenIfADegradedStartIsAllowedAndShowsNoPassword()
    {
        var uri = new UriBuilder(TestBroker.Uri) { UserName = "guest", Password = "kX9-canary" }.Uri;
        var error = await Assert.ThrowsAsync<EventBusException>(() => TestBroker.StartTransportAsync(TestBroker.NewName(), uri));

        Assert.Contains("the user, the password", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("kX9-canary", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Password_OfAnyTypeThatHasIt_IsNotShown()
    {
        await using var proxy = new TcpProxy();
        var source = RabbitMqConnectionSource.Of(proxy.Uri.AbsoluteUri, new RabbitMqOptions());
        await using var transport = await TestBroker.StartTransportAsync(TestBroker.NewName(), proxy.Uri);
        var healthy = await transport.CheckHealthAsync(Cancel);
        proxy.Refuse = true;
        proxy.Sever();
        var broken = healthy;
        await Until.TrueAsync(
            "the transport is not healthy while its broker is unreachable",
            async () => (broken = await transport.CheckHealthAsync(Cancel)).Status != HealthStatus.Healthy,
            Cancel);
        var health = $"{healthy.Description} {broken.Description} {broken.Exception}";
        object[] shown = [health, transport, transport.Features, source, source.Address, new RabbitMqOptions()];

        Assert.All(shown, each => Assert.DoesNotContain(Canary.Password, each.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_MissingVirtualHost_ThrowsEvenIfADegradedStartIsAllowed()
    {
        var uri = new UriBuilder(TestBroker.Uri) { Path = "nowhere" }.Uri;
        var error = await Assert.ThrowsAsync<EventBusException>(() => TestBroker.StartTransportAsync(TestBroker.NewName(), uri));

        Assert.Contains("530", error.Message, StringComparison.Ordinal);
        Assert.Contains("nowhere", error.Message, StringComparison.Ordinal);
    }

    /// <summary>
    /// The network discards connection attempts and may recover at any moment: a second attempt starts before the first
    /// one is aborted.
    /// </summary>
    [Fact]
    public async Task Opening_WithoutAnAnswer_StartsASecondInParallel()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var options = new RabbitMqOptions { CallTimeout = TimeSpan.FromMinutes(5), SilenceTimeout = TimeSpan.FromMinutes(5) };
        var source = RabbitMqConnectionSource.Of($"amqp://{silent.LocalEndpoint}", options);
        var opener = new ConnectionOpener(source, "eventbus app publishing", options, TimeProvider.System);
        await using var link = new SupervisedConnection("publishing", opener, options, TimeProvider.System, NullLogger.Instance);
        link.Start();

        using var first = await silent.AcceptSocketAsync(Cancel).AsTask().WaitAsync(TestBroker.Patience, Cancel);
        using var second = await silent.AcceptSocketAsync(Cancel).AsTask().WaitAsync(TestBroker.Patience, Cancel);
    }

    /// <summary>
    /// P4: a connection attempt without any answer is aborted as early as an open connection would be, not only after
    /// the maximum duration of a call.
    /// </summary>
    [Fact]
    public async Task Opening_OfAConnectionThatDropsEverything_IsAbortedSoon()
    {
        await using var proxy = new TcpProxy();
        await using var app = await TestBus.StartAsync(TestBroker.NewName(), bus => bus
            .UseRabbitMq(proxy.Uri.AbsoluteUri, options => (
                options.Exchange,
                options.CallTimeout,
                options.SilenceTimeout) = ("wire", TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(500)))
            .StoreInMemory()
            .Configure(options => options.PublishTimeout = TimeSpan.FromSeconds(1)));
        await app.Bus.PublishAsync(new TestHappened(1), Cancel);

        // No connection attempt gets an answer. Some of the two connections are tried again.
        proxy.Mute = true;
        for (var opening = 1; opening <= 4; opening++)
        {
            var next = proxy.NextSend();
            if (opening == 1)
            {
                proxy.Sever();
            }

            await next.WaitAsync(TestBroker.Patience, Cancel);
        }

        proxy.Mute = false;
        await app.PublishUntilAcceptedAsync(new TestHappened(2));
    }

    /// <summary>
    /// P4: the loss of the server causes no error. The connection is replaced long before a heartbeat would be missed.
    /// </summary>
    [Fact]
    public async Task Connection_ThatDropsEverything_IsDetectedAndReplaced()
    {
        await using var proxy = new TcpProxy();
        var handled = new Seen<int>();
        await using var app = await TestBus.StartAsync(TestBroker.NewName(), proxy.Uri, bus =>
            bus.Configure(options => options.PublishTimeout = TimeSpan.FromSeconds(1)).Subscribe<TestHappened>("tests", (e, _, _) =>
            {
                handled.Add(e.Number);
                return Task.CompletedTask;
            }));
        await app.Bus.PublishAsync(new TestHappened(1), Cancel);
        Assert.Equal(1, await handled.NextAsync("the event before"));

        // Existing connections receive nothing; new connections work.
        proxy.Drop();
        await app.PublishUntilAcceptedAsync(new TestHappened(2), TimeSpan.FromSeconds(8));

        // Until then the broker may hold the event for the unreachable consumer: with two heartbeats, 20 s.
        proxy.CloseDroppedAtServer();

        // The first event may be redelivered, because its acknowledgement may have been discarded.
        while (await handled.NextAsync("the event after") != 2)
        {
        }
    }

    [Fact]
    public async Task Retire_QueueOfARemovedSubscription_IsRefusedWhileInUseOrNotEmptyAndThenRemovesIt()
    {
        var name = TestBroker.NewName();
        await using var transport = await TestBroker.StartTransportAsync(name, null, Orders);
        await using (await transport.SubscribeAsync(Orders, Cancel))
        {
            Assert.Contains(
                "consumers",
                (await Assert.ThrowsAsync<EventBusException>(() => RetireAsync(discardWaiting: true))).Message,
                StringComparison.Ordinal);
        }

        await TestBroker.PublishForeignAsync(name, "order.placed", "{}"u8.ToArray());
        Assert.Contains(
            "1 events wait",
            (await Assert.ThrowsAsync<EventBusException>(() => RetireAsync(discardWaiting: false))).Message,
            StringComparison.Ordinal);

        await RetireAsync(discardWaiting: true);
        await RetireAsync(discardWaiting: false);
        var unrouted = new PublishOutcome[1];
        await transport.PublishAsync(new[] { new Envelope(
            new EnvelopeAttributes { Id = "1", Name = "order.placed", Time = DateTimeOffset.UnixEpoch },
            [(byte)'1']) }, unrouted, Cancel);
        Assert.Equal(PublishStatus.Unrouted, unrouted[0].Status);

        Task RetireAsync(bool discardWaiting) => transport.RetireAsync(Orders.Name, discardWaiting, Cancel).AsTask();
    }

    [Fact]
    public async Task Retire_SubscriptionThatIsStillInTheCode_IsRefused()
    {
        await using var app = await TestBus.StartAsync(
            TestBroker.NewName(),
            null,
            bus => bus.Subscribe<TestHappened>("tests", (_, _, _) => Task.CompletedTask));

        await Assert.ThrowsAsync<ArgumentException>(
            () => app.Services.GetRequiredService<ISubscriptionManager>().RetireAsync("tests", cancellationToken: Cancel));
        await app.Services.GetRequiredService<ISubscriptionManager>().RetireAsync("never-there", cancellationToken: Cancel);
    }
}
