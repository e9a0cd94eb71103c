using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus.Redis.Tests;

/// <summary>Verifies that a stop leaves no task whose exception is not observed.</summary>
/// <remarks>Runs alone: the runtime reports the unobserved exceptions of all tests to all listeners.</remarks>
[CollectionDefinition(nameof(CleanStopTests), DisableParallelization = true)]
[Collection(nameof(CleanStopTests))]
public sealed class CleanStopTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stop_WhileReadsWait_LeavesNoUnobservedException()
    {
        var unobserved = new Seen();
        void Note(object? sender, UnobservedTaskExceptionEventArgs e)
        {
            if (e.Exception.ToString().Contains("at EventBus.Redis", StringComparison.Ordinal))
            {
                unobserved.Add(e.Exception.ToString());
            }
        }

        // Reports the exceptions of tasks that earlier tests abandoned.
        Collect();
        TaskScheduler.UnobservedTaskException += Note;
        try
        {
            for (var i = 0; i < 3; i++)
            {
                await LiveAsync();
            }

            Collect();
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= Note;
        }

        Assert.Empty(unobserved.Items);
    }

    private static void Collect()
    {
        // Finalizers report the exceptions of abandoned tasks.
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private static async Task LiveAsync()
    {
        var handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var redis = await TestRedis.OpenAsync();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.AddProvider(EventBus.Conformance.Canary.Log);
        builder.Services.AddEventBus(bus =>
        {
            bus.UseRedis(TestRedis.Address, options => options.KeyPrefix = redis.Prefix).Configure(options => options.ServiceName = "app");
            bus.Subscribe("parcels", (ParcelSent _, EventContext _, CancellationToken _) =>
            {
                handled.TrySetResult();
                return Task.CompletedTask;
            });
            bus.Subscribe("ordered", ordered => ordered.Ordered().On<ParcelSent>((_, _, _) => Task.CompletedTask));
        });
        using var host = builder.Build();
        await host.StartAsync(Token);
        await host.Services.GetRequiredService<IEventBus>().PublishAsync(new ParcelSent(1), Token);
        await handled.Task.WaitAsync(TestRedis.Patience, Token);
        await host.StopAsync(Token);
    }

    private sealed class Seen
    {
        private readonly System.Collections.Concurrent.ConcurrentQueue<string> items = new();

        public IReadOnlyCollection<string> Items => items;

        public void Add(string item) => items.Enqueue(item);
    }
}
