using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// Shows that while the broker is unreachable an instance logs the first failure of each kind, then one line a minute,
/// and one line at the end.
/// </summary>
[Collection(typeof(PrivateBrokerCollection))]
public sealed class OutageLogTests(PrivateBroker broker)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Broker_UnreachableForAWhile_IsLoggedRarely()
    {
        // Both instances have the same outage: one uses a store, the other retries in queues.
        await using var stored = await Instance.StartAsync(broker.Uri, bus => bus.StoreInMemory());
        await using var alone = await Instance.StartAsync(broker.Uri, _ => { });
        Instance[] instances = [stored, alone];
        await Task.WhenAll(instances.Select(instance => instance.PublishAsync(0)));
        await broker.Node.StopAsync();
        var before = instances.Select(instance => instance.Log.Texts.Count).ToArray();
        try
        {
            for (var tried = 0; tried < 6; tried++)
            {
                // Each publish has its own full deadline.
                await Task.WhenAll(instances.Select(instance => Assert.ThrowsAsync<PublishException>(() => instance.PublishAsync(1))));
            }
        }
        finally
        {
            await broker.Node.StartAsync();
        }

        // The handler's own failures are not part of the outage, and each is logged.
        var during = instances.Zip(before, (instance, count) => instance.Log.Texts.Skip(count)
            .Where(text => !text.Contains("failed to handle", StringComparison.Ordinal)).ToList()).ToArray();
        await Task.WhenAll(instances.Select(instance => instance.RecoverAsync()));

        Assert.All(during, texts =>
            Assert.True(texts.Count <= 25, $"{texts.Count} entries in an outage of 12 s: {string.Join('\n', texts)}"));
    }

    private sealed class Instance(LogList log, Seen<int> handled, TestBus app) : IAsyncDisposable
    {
        public LogList Log => log;

        public static async Task<Instance> StartAsync(Uri address, Action<EventBusBuilder> configure)
        {
            var (name, log, handled) = (TestBroker.NewName(), new LogList(), new Seen<int>());
            return new Instance(log, handled, await TestBus.StartAsync(name, bus =>
            {
                bus.Services.AddLogging(logging => logging.AddProvider(log).AddFilter("Microsoft", LogLevel.None));
                bus.UseRabbitMq(address.AbsoluteUri, options => (options.Exchange, options.RetrySteps) = (name, [TimeSpan.FromSeconds(1)]))
                    .Retry(50, TimeSpan.FromSeconds(1))
                    .Configure(options => options.PublishTimeout = TimeSpan.FromSeconds(2));
                configure(bus);
                foreach (var subscription in new[] { "one", "two", "three" })
                {
                    bus.Subscribe<TestHappened>(subscription, (e, _, _) => e.Number == 0
                        ? throw new InvalidOperationException("Again later.")
                        : Handle(handled, e.Number));
                }
            }));
        }

        public Task PublishAsync(int number) => app.Bus.PublishAsync(new TestHappened(number), Cancel);

        /// <summary>Publishes an event after the outage, and waits until it is handled and the end is logged.</summary>
        public async Task RecoverAsync()
        {
            await app.PublishUntilAcceptedAsync(new TestHappened(2), options: new PublishOptions { Timeout = TimeSpan.FromSeconds(10) });
            while (await handled.NextAsync("the event after the outage") != 2)
            {
                // An event of the outage that was published after all.
            }

            await Until.TrueAsync(
                "the end of the outage is logged",
                () => log.Texts.Any(text => text.Contains("Recovered after", StringComparison.Ordinal)),
                Cancel);
        }

        public async ValueTask DisposeAsync()
        {
            await app.DisposeAsync();
            log.Dispose();
        }

        private static Task Handle(Seen<int> handled, int number)
        {
            handled.Add(number);
            return Task.CompletedTask;
        }
    }
}
