using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Shows how the loops of a bus end.</summary>
public sealed class BusLoopsTests
{
    [Fact]
    public async Task Stop_StoreFailsWhileALoopWaitsForIt_IsLoggedAtDebugOnly()
    {
        using var log = new LogMemory();
        var store = new ClosingStore();
        await using var running = await RunningBus.StartAsync(
            bus => bus.UseInMemory()
                .UseStores(_ => new TestBusStores("closing", durable: false, failures: store))
                .Subscribe<OrderPlaced>("mail", (_, _, _) => Task.CompletedTask),
            services: services => services.AddLogging(logging => logging.AddProvider(log).SetMinimumLevel(LogLevel.Trace)));
        await store.Asked.WaitAsync(RunningBus.Patience, TestContext.Current.CancellationToken);

        await running.StopAsync();

        Assert.DoesNotContain(log.Entries, entry => entry.Level > LogLevel.Information);
        var ended = Assert.Single(log.Entries, entry => entry.Exception is TimeoutException { Message: ClosingStore.Error });
        Assert.Equal(LogLevel.Debug, ended.Level);
        Assert.Contains("'retries' failed while the bus was stopping", ended.Text, StringComparison.Ordinal);
    }

    /// <summary>A store whose claims wait until the stop, and then fail.</summary>
    private sealed class ClosingStore() : DelegatingFailureStore(new InMemoryFailureStore(10))
    {
        public const string Error = "The connection was closed.";

        private readonly TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Asked => asked.Task;

        public override async ValueTask<DueBatch<FailedEvent>> ClaimDueAsync(
            IReadOnlyCollection<string> subscriptions,
            DateTimeOffset now,
            TimeSpan lease,
            int max,
            CancellationToken cancellationToken)
        {
            asked.TrySetResult();
            await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw new TimeoutException(Error);
        }
    }
}
