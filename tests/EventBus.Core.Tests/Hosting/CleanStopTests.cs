using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Looks at the unobserved exceptions of the process, which no other test may add to.</summary>
[CollectionDefinition(nameof(CleanStopTests), DisableParallelization = true)]
[Collection(nameof(CleanStopTests))]
public sealed class CleanStopTests
{
    private const string Marker = "thrown where nothing waits any more";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stop_CallbacksThrowAndHandlersAreLeftBehind_LeavesNoUnobservedException()
    {
        var unobserved = new Seen();
        void Note(object? sender, UnobservedTaskExceptionEventArgs e)
        {
            if (e.Exception.ToString().Contains(Marker, StringComparison.Ordinal))
            {
                unobserved.Add(e.Exception.ToString());
            }
        }

        TaskScheduler.UnobservedTaskException += Note;
        try
        {
            await LiveAsync();

            // What was abandoned is found by its finalizers.
            for (var i = 0; i < 3; i++)
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
            }
        }
        finally
        {
            TaskScheduler.UnobservedTaskException -= Note;
        }

        Assert.Empty(unobserved.Items);
    }

    [Fact]
    public async Task Provider_DisposedWithoutAStop_SaysWhatHappened()
    {
        using var logs = new LogMemory();
        var services = new ServiceCollection().AddLogging(logging => logging.AddProvider(logs)).AddEventBus(bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, _, token) => Task.Delay(Timeout.Infinite, token)));
        var provider = services.BuildServiceProvider();
        foreach (var service in provider.GetServices<IHostedService>())
        {
            await service.StartAsync(Token);
        }

        await provider.GetRequiredService<IEventBus>().PublishAsync(new OrderPlaced("1"), Token);
        ((IDisposable)provider).Dispose();

        Assert.Contains(logs.At(LogLevel.Warning), text => text.Contains("disposed of while the event bus was running", StringComparison.Ordinal) && text.Contains("(1 deliveries", StringComparison.Ordinal));
    }

    private static async Task LiveAsync()
    {
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = await RunningBus.StartAsync(bus => bus.UseInMemory().Configure(options => options.DrainTimeout = TimeSpan.FromMilliseconds(100)).Subscribe("mail", s => s.On<OrderPlaced>(async (_, _, token) =>
        {
            token.Register(() => throw new InvalidOperationException(Marker));
            started.SetResult();
            await end.Task;
            throw new InvalidOperationException(Marker);
        })));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await started.Task.WaitAsync(RunningBus.Patience, Token);
        await running.DisposeAsync();

        // The handler that was left behind fails now.
        end.SetResult();
        await Task.Yield();
    }
}
