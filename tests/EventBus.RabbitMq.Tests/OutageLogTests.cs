using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus.RabbitMq.Tests;

/// <summary>
/// What one instance logs while the broker is away: the first failure of each kind, a line a minute, and one at the
/// end.
/// </summary>
[Collection(typeof(PrivateBrokerCollection))]
public sealed class OutageLogTests(PrivateBroker broker)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Broker_AwayForAWhile_FillsNoLog(bool alone)
    {
        var name = TestBroker.NewName();
        using var log = new LogList();
        var handled = new Seen<int>();
        await using var app = await TestBus.StartAsync(name, bus =>
        {
            bus.Services.AddLogging(logging => logging.AddProvider(log).AddFilter("Microsoft", LogLevel.None));
            bus.UseRabbitMq(broker.Uri.AbsoluteUri, options => (options.Exchange, options.RetrySteps) = (name, [TimeSpan.FromSeconds(1)]))
                .Retry(50, TimeSpan.FromSeconds(1))
                .Configure(options => options.PublishTimeout = TimeSpan.FromSeconds(2));
            _ = alone ? bus : bus.StoreInMemory();
            foreach (var subscription in new[] { "one", "two", "three" })
            {
                bus.Subscribe<TestHappened>(subscription, (e, _, _) =>
                {
                    if (e.Number == 0)
                    {
                        throw new InvalidOperationException("Again later.");
                    }

                    handled.Add(e.Number);
                    return Task.CompletedTask;
                });
            }
        });
        await app.Bus.PublishAsync(new TestHappened(0), Cancel);
        await broker.Node.StopAsync();
        var before = log.Texts.Count;
        try
        {
            for (var tried = 0; tried < 6; tried++)
            {
                // Each has its whole deadline.
                await Assert.ThrowsAsync<PublishException>(() => app.Bus.PublishAsync(new TestHappened(1), Cancel));
            }
        }
        finally
        {
            await broker.Node.StartAsync();
        }

        // Of the handler's own failures, which are no part of the outage, each is logged.
        var during = log.Texts.Skip(before).Where(text => !text.Contains("failed to handle", StringComparison.Ordinal)).ToList();
        using var patience = new CancellationTokenSource(TestBroker.Patience, TimeProvider.System);
        while (true)
        {
            try
            {
                await app.Bus.PublishAsync(new TestHappened(2), new PublishOptions { Timeout = TimeSpan.FromSeconds(10) }, Cancel);
                break;
            }
            catch (PublishException exception)
            {
                Assert.False(patience.IsCancellationRequested, $"The bus did not find the broker again: {exception}");
            }
        }

        while (await handled.NextAsync("the event after the outage") != 2)
        {
            // An event of the outage that was published after all.
        }

        Assert.True(during.Count <= 25, $"{during.Count} entries in an outage of 12 s: {string.Join('\n', during)}");
        await UntilAsync(
            () => log.Texts.Any(text => text.Contains("Recovered after", StringComparison.Ordinal)),
            "the end of the outage is logged");
    }

    private static async Task UntilAsync(Func<bool> condition, string what)
    {
        using var patience = new CancellationTokenSource(TestBroker.Patience, TimeProvider.System);
        while (!condition())
        {
            Assert.False(patience.IsCancellationRequested, what);
            await Task.Yield();
        }
    }
}
