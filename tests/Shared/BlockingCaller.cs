using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// A program that blocks its only thread on every call, like desktop programs and old test runners. A continuation
/// that is posted to the context of that thread would hang.
/// </summary>
internal static class BlockingCaller
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Starts, uses and stops a bus on one thread with a synchronization context that runs nothing while the thread
    /// waits.
    /// </summary>
    public static Task RunInContextAsync(
        Action<EventBusBuilder> configure,
        bool keyed = true,
        bool sagas = false,
        ILoggerProvider? log = null)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() =>
        {
            SynchronizationContext.SetSynchronizationContext(new SilentContext());
            try
            {
                Live(configure, keyed, sagas, log);
                ended.SetResult();
            }
            catch (Exception exception)
            {
                ended.SetException(exception);
            }
        })
        {
            IsBackground = true,
        }.Start();
        return WithinAsync(ended.Task, "the calls of a thread with a synchronization context");
    }

    /// <summary>Does the same under a task scheduler that runs one task at a time.</summary>
    public static Task RunInSchedulerAsync(
        Action<EventBusBuilder> configure,
        bool keyed = true,
        bool sagas = false,
        ILoggerProvider? log = null)
    {
        var scheduler = new ConcurrentExclusiveSchedulerPair().ExclusiveScheduler;
        return WithinAsync(
            Task.Factory.StartNew(
                () => Live(configure, keyed, sagas, log),
                CancellationToken.None,
                TaskCreationOptions.LongRunning,
                scheduler), "the calls under a scheduler of one thread");
    }

    private static void Live(Action<EventBusBuilder> configure, bool keyed, bool sagas, ILoggerProvider? log)
    {
        using var failed = new BlockingCollection<string>();
        using (var host = Build(configure, failed, log))
        {
            host.Start();
            var bus = host.Services.GetRequiredService<IEventBus>();
            Wait(bus.PublishAsync(new BlockingCalled(1)));
            Wait(bus.PublishAsync(new BlockingCalled(2), new PublishOptions { Key = "k" }));
            Wait(bus.PublishManyAsync([new BlockingCalled(3), new BlockingCalled(4)]));
            Wait(host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync());

            var letters = host.Services.GetRequiredService<IDeadLetters>();
            for (var i = 0; i < 4; i++)
            {
                Assert.True(failed.TryTake(out _, Patience), "each failed event raises an alert");
            }

            Assert.Equal(4L, Wait(letters.CountAsync()));
            Assert.True(Wait(letters.ListAsync()).Count > 0, "a dead letter is listed");
            if (keyed)
            {
                var first = Wait(letters.ListAsync())[0].Id;
                Assert.True(Wait(letters.FindAsync(first)) is not null, "the dead letter is found");
                Assert.True(Wait(letters.DiscardAsync(first, "seen")), "the dead letter is discarded");
                Wait(letters.RetryAsync(Wait(letters.ListAsync())[0].Id));
                failed.TryTake(out _, Patience);
            }

            Wait(letters.RetryAllAsync());
            if (sagas)
            {
                UseSagas(host.Services.GetRequiredService<ISagas>(), host.Services.GetRequiredService<SagaManager>());
            }

            Wait(host.StopAsync());
        }

        // The host is not stopped: its disposal stops the bus.
        using (var host = Build(configure, failed, log))
        {
            host.Start();
        }
    }

    private static void UseSagas(ISagas sagas, SagaManager manager)
    {
        Assert.Equal(SagaStatus.Completed, Wait(sagas.RunAsync(new BlockingState("run"))).Status);
        var started = Wait(sagas.StartAsync(new BlockingState("start")));
        Wait(sagas.WaitAsync<BlockingState>(started));
        Assert.True(Wait(sagas.FindAsync(started)) is not null, "the saga is found");
        Assert.Equal(2L, Wait(manager.CountAsync()));
        Assert.Equal(2, Wait(manager.ListAsync()).Count);
        Wait(manager.RetryAsync(started));
        Wait(manager.SkipAsync(started, "no reason"));
        Wait(manager.FinishAsync(started, "no reason"));
    }

    private static IHost Build(Action<EventBusBuilder> configure, BlockingCollection<string> failed, ILoggerProvider? log)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        if (log is not null)
        {
            builder.Logging.AddProvider(log);
        }

        builder.Services.AddHealthChecks();
        builder.Services.AddSingleton(failed);
        builder.Services.AddEventBus(bus =>
        {
            configure(bus);
            bus.Retry(0).AddAlert<BlockingAlert>().Configure(options => options.AlertInterval = TimeSpan.FromMilliseconds(100));
            bus.Subscribe<BlockingCalled>("blocking", async (e, _, _) =>
            {
                await Task.Yield();
                throw new InvalidOperationException($"{e.Number} fails on purpose.");
            });
        });
        return builder.Build();
    }

    private static async Task WithinAsync(Task calls, string what)
    {
        try
        {
            await calls.WaitAsync(Patience, TestContext.Current.CancellationToken);
        }
        catch (TimeoutException) when (!calls.IsCompleted)
        {
            Assert.Fail($"{what} did not complete within {Patience}.");
        }
    }

    private static void Wait(Task task) => task.GetAwaiter().GetResult();

    private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();

    /// <summary>Accepts continuations and never runs them, because its thread waits.</summary>
    private sealed class SilentContext : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state)
        {
        }

        public override SynchronizationContext CreateCopy() => this;
    }

    private sealed class BlockingAlert(BlockingCollection<string> failed) : IDeadLetterNotifier
    {
        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            foreach (var id in alert.Ids)
            {
                failed.Add(id, cancellationToken);
            }

            return Task.CompletedTask;
        }
    }
}
