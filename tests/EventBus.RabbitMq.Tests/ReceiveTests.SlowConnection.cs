using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus.RabbitMq.Tests;

public sealed partial class ReceiveTests
{
    /// <summary>
    /// All received bytes show that the broker is reachable, not only its answer to a check that waits behind large
    /// events.
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

        // The delay applies to each 16 KB: 2 MB a second. 8 MB take four times the accepted silence, and one event of 4
        // MB twice as long.
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

        Assert.DoesNotContain(log.Texts, text => text.Contains("sent no data for", StringComparison.Ordinal));

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
    /// The checks of the queues wait behind large events: the bytes received in the meantime show that the broker is
    /// reachable.
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

        // The delay applies to each 16 KB: 2 MB a second, and so 10 s.
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

    /// <summary>A check of many queues takes longer than the timeout of one call.</summary>
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
}
