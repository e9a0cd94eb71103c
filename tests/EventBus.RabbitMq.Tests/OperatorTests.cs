using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

/// <summary>Tests that use the tools of the broker.</summary>
[Collection(typeof(PrivateBrokerCollection))]
public sealed class OperatorTests(PrivateBroker broker) : IDisposable
{
    private readonly string name = TestBroker.NewName();
    private readonly Seen<int> handled = new();
    private readonly LogList log = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>
    /// An event that is redelivered endlessly becomes a dead letter. The queues of dead letters and alerts have no
    /// dead-letter queue, and reading them counts as a delivery: their limit is therefore too high to be reached.
    /// </summary>
    [Fact]
    public async Task Queues_OfEveryKind_HaveTheirOwnDeliveryLimit()
    {
        await using var app = await StartAsync(bus => bus.UseRabbitMq(
            broker.Uri.AbsoluteUri,
            options => (options.Exchange, options.RetrySteps) = (name, [TimeSpan.FromSeconds(5)])));

        var queues = (await broker.Node.ControlAsync("--silent", "list_queues", "name", "arguments")).Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal))
                .Select(line => (Name: line.Split('\t')[0][name.Length..], Arguments: line.Split('\t')[1]))
                .OrderBy(queue => queue.Name, StringComparer.Ordinal)
                .ToList();

        Assert.Equal(
            [".alerts", ".dead-letters", ".given-up", ".wait-5000ms", ":tests", ":tests:retries"],
            queues.Select(queue => queue.Name));
        Assert.All(queues[..4], queue => Assert.Contains("{\"x-delivery-limit\",1000000}", queue.Arguments, StringComparison.Ordinal));
        Assert.All(queues[4..], queue =>
        {
            Assert.Contains("{\"x-delivery-limit\",200}", queue.Arguments, StringComparison.Ordinal);
            Assert.Contains($"{{\"x-dead-letter-routing-key\",\"{name}.given-up\"}}", queue.Arguments, StringComparison.Ordinal);
            Assert.Contains("{\"x-dead-letter-strategy\",\"at-least-once\"}", queue.Arguments, StringComparison.Ordinal);
        });
    }

    /// <summary>
    /// A channel that was opened while a queue had no leader refuses events for that queue until it is closed: after
    /// each refusal the next event uses another channel.
    /// </summary>
    [Fact]
    public async Task Publish_Refused_ContinuesOnAnotherChannel()
    {
        await using var app =
            await StartAsync(bus => bus.UseRabbitMq(broker.Uri.AbsoluteUri, options => options.Exchange = name).StoreInMemory());
        await using var connection = await new ConnectionFactory { Uri = broker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        var queue = await channel.QueueDeclareAsync(
            "",
            durable: false,
            exclusive: true,
            autoDelete: true,
            new Dictionary<string, object?> { ["x-max-length"] = 0, ["x-overflow"] = "reject-publish" },
            cancellationToken: Cancel);
        await channel.QueueBindAsync(queue.QueueName, name, "test.happened", cancellationToken: Cancel);
        var before = await ChannelsAsync();

        await Until.TrueAsync(
            "the channel of the refused events is replaced",
            async () =>
            {
                var error = await Assert.ThrowsAsync<PublishException>(() => app.Bus.PublishAsync(new TestHappened(1), Cancel));
                Assert.Equal(PublishFailure.InDoubt, error.Failure);
                return !(await ChannelsAsync()).IsSubsetOf(before);
            },
            Cancel);

        await channel.QueueDeleteAsync(queue.QueueName, cancellationToken: Cancel);
        await app.Bus.PublishAsync(new TestHappened(2), Cancel);
        while (await handled.NextAsync("the event after the refused events") != 2)
        {
            // Another queue had capacity for the events.
        }

        async Task<HashSet<string>> ChannelsAsync() =>
            [.. (await broker.Node.ControlAsync("--silent", "list_channels", "pid", "confirm")).Split('\n')
                .Where(line => line.EndsWith("true", StringComparison.Ordinal))];
    }

    /// <summary>
    /// A full queue refuses all events; another queue answers late, as during the election of its leader.
    /// </summary>
    [Fact]
    public async Task Publish_OneQueueRefusesWhileAnotherAnswersLate_TheLateOneIsAccepted()
    {
        await using var app =
            await StartAsync(bus => bus.UseRabbitMq(broker.Uri.AbsoluteUri, options => options.Exchange = name).StoreInMemory());
        await using var connection = await new ConnectionFactory { Uri = broker.Uri }.CreateConnectionAsync(Cancel);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Cancel);
        var full = await channel.QueueDeclareAsync(
            "",
            durable: false,
            exclusive: true,
            autoDelete: true,
            new Dictionary<string, object?> { ["x-max-length"] = 0, ["x-overflow"] = "reject-publish" },
            cancellationToken: Cancel);
        await channel.QueueBindAsync(full.QueueName, name, "test.happened", cancellationToken: Cancel);
        var late = (await channel.QueueDeclareAsync(
            $"{name}-late",
            durable: true,
            exclusive: false,
            autoDelete: false,
            cancellationToken: Cancel)).QueueName;
        await channel.QueueBindAsync(late, name, "big.happened", cancellationToken: Cancel);

        await SignalAsync("suspend");
        var waiting = app.Bus.PublishAsync(new Big("late"), new PublishOptions { Timeout = TestBroker.Patience }, Cancel);
        using var election = new CancellationTokenSource(TimeSpan.FromSeconds(4), TimeProvider.System);
        while (!election.IsCancellationRequested)
        {
            await Assert.ThrowsAsync<PublishException>(() => app.Bus.PublishAsync(new TestHappened(1), Cancel));
        }

        await SignalAsync("resume");
        await waiting;

        Task SignalAsync(string what) => broker.Node.ControlAsync(
            "eval",
            $"{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"{late}\">>)), sys:{what}(amqqueue:get_pid(Q)).");
    }

    [Fact]
    public async Task Publish_BrokerIsShortOfMemory_IsFailedAndContinuesOnTheSameConnection()
    {
        await using var app = await StartAsync(bus => bus
            .UseRabbitMq(broker.Uri.AbsoluteUri, options => (options.Exchange, options.CallTimeout) = (name, TimeSpan.FromSeconds(1)))
            .StoreInMemory()
            .Configure(options => options.PublishTimeout = TimeSpan.FromSeconds(3)));
        var health = app.Services.GetRequiredService<HealthCheckService>();
        await app.Bus.PublishAsync(new TestHappened(1), Cancel);
        await broker.Node.ControlAsync("set_vm_memory_high_watermark", "0.00001");
        try
        {
            // Calls that were in flight when the broker stopped reading hang for longer than the maximum duration of a
            // call.
            var first = await PublishAsync(60);
            Assert.DoesNotContain(null, first);
            Assert.Equal(HealthStatus.Degraded, (await health.CheckHealthAsync(Cancel)).Status);
            Assert.All(await PublishAsync(20), failure => Assert.Equal(PublishFailure.Failed, failure));
        }
        finally
        {
            await broker.Node.ControlAsync("set_vm_memory_high_watermark", "0.4");
        }

        await Until.TrueAsync("the bus publishes again", async () => (await PublishAsync(1))[0] is null, Cancel);

        Assert.Single(log.Texts, text => text.Contains("the publishing connection is open", StringComparison.Ordinal));

        async Task<PublishFailure?[]> PublishAsync(int count) => await Task.WhenAll(Enumerable.Range(0, count).Select(async _ =>
        {
            try
            {
                await app.Bus.PublishAsync(new Big(new string('x', 200_000)), Cancel);
                return null;
            }
            catch (PublishException exception)
            {
                return (PublishFailure?)exception.Failure;
            }
        }));
    }

    /// <summary>
    /// The channel of the heartbeat checks is one of the closed channels: opening it again is a check like the others,
    /// not a call with a timeout of a minute.
    /// </summary>
    [Fact]
    public async Task Connection_LostWhenTheBrokerHasClosedAllChannels_IsDetectedAsSoonAsAnyOther()
    {
        await using var proxy = new TcpProxy(broker.Node.Port);
        await using var app = await StartAsync(bus => bus
            .UseRabbitMq(broker.Node.AddressAt(proxy.Port).AbsoluteUri, options => (
                options.Exchange,
                options.SilenceTimeout,
                options.CallTimeout) = (name, TimeSpan.FromSeconds(4), TimeSpan.FromMinutes(1))).StoreInMemory()
            .Configure(options => options.PublishTimeout = TimeSpan.FromSeconds(1)));
        await app.Bus.PublishAsync(new TestHappened(1), Cancel);

        // Set before the channels are closed, so that the bus cannot open any in between.
        proxy.ToServer.Mode = TcpProxyMode.Discard;
        await broker.Node.ControlAsync("eval", "[rabbit_channel:do(C, {'basic.ack', 999999999, false}) || C <- rabbit_channel:list()].");
        proxy.Drop();
        proxy.ToServer.Mode = TcpProxyMode.Pass;

        await app.PublishUntilAcceptedAsync(new TestHappened(2), TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task SharedConnection_LostAndReopened_HasNoMoreChannelsThanBefore()
    {
        await using var proxy = new TcpProxy(broker.Node.Port);
        var factory = new ConnectionFactory
        {
            Uri = broker.Node.AddressAt(proxy.Port),
            ClientProvidedName = name,
            NetworkRecoveryInterval = TimeSpan.FromMilliseconds(500)
        };
        await using var connection = await factory.CreateConnectionAsync(Cancel);
        await using (var app = await StartAsync(bus =>
        {
            bus.Services.AddSingleton(connection);
            bus.UseRabbitMq(options => (options.Exchange, options.RetrySteps) = (name, [TimeSpan.FromMilliseconds(100)]));
        }))
        {
            await HandleAsync(app, 0);
            var before = await ChannelsAsync();
            for (var cut = 1; cut <= 3; cut++)
            {
                var recovered = new TaskCompletionSource();
                connection.RecoverySucceededAsync += (_, _) =>
                {
                    recovered.TrySetResult();
                    return Task.CompletedTask;
                };
                proxy.Sever();
                await recovered.Task.WaitAsync(TestBroker.Patience, Cancel);
                await HandleAsync(app, cut);
            }

            await UntilAsync(before, "after the cuts");
        }

        await UntilAsync(0, "after the bus has stopped");

        async Task HandleAsync(TestBus app, int number)
        {
            await app.Bus.PublishAsync(new TestHappened(number), Cancel);
            while (await handled.NextAsync($"the event after closed connection {number}") != number)
            {
                // A repeated delivery of an earlier event.
            }
        }

        Task UntilAsync(int channels, string when)
        {
            var found = 0;
            return Until.TrueAsync(
                () => $"the shared connection has at most {channels} channels {when}, not {found}",
                TestBroker.Patience,
                async () => (found = await ChannelsAsync()) <= channels,
                Cancel);
        }
    }

    public void Dispose() => log.Dispose();

    private async Task<int> ChannelsAsync()
    {
        var connections = (await broker.Node.ControlAsync("--silent", "list_connections", "channels", "client_properties")).Split('\n')
            .Where(line => line.Contains(name, StringComparison.Ordinal));
        return connections.Sum(line => int.Parse(line.Split('\t')[0], CultureInfo.InvariantCulture));
    }

    private Task<TestBus> StartAsync(Action<EventBusBuilder> configure) => TestBus.StartAsync(name, bus =>
    {
        bus.Services.AddLogging(logging => logging.AddProvider(log));
        configure(bus);
        bus.Publishes<Big>().Subscribe<TestHappened>("tests", (e, context, _) =>
        {
            if (context.Attempt == 1)
            {
                throw new InvalidOperationException("Once, so that the retries have work too.");
            }

            handled.Add(e.Number);
            return Task.CompletedTask;
        });
    });
}
