using EventBus.Stores;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace EventBus;

/// <summary>
/// Checks the unobserved exceptions of the process. Does not run in parallel with tests that may cause some.
/// </summary>
[CollectionDefinition(nameof(CleanStopTests), DisableParallelization = true)]
[Collection(nameof(CleanStopTests))]
public sealed class CleanStopTests
{
    private const string Marker = "thrown where no code awaits it";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stop_CallbacksThrowAndHandlersAreAbandoned_LeavesNoUnobservedException()
    {
        Assert.Empty(await UnobservedAsync(LiveAsync));
    }

    /// <summary>The release of the entry exceeds the deadline, and the store fails later.</summary>
    [Fact]
    public async Task Release_StoreFailsAfterTheDeadline_LeavesNoUnobservedException() => Assert.Empty(await UnobservedAsync(async () =>
    {
        var time = new FakeTimeProvider();
        var (store, answer) = (new FaultyStore(), new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously));
        store.Keep = _ => new ValueTask<bool>(answer.Task);
        var (recorder, _) = TestServices.CreateRecorder(store, TestServices.Create(time));

        var releasing = recorder.Releaser.ReleaseAtStopAsync(new FailedEvent
        {
            Subscription = "mail",
            Envelope = new Envelope(new EnvelopeAttributes { Id = "1", Name = "order.placed" }, []),
            Status = FailedEventStatus.Waiting
        });
        time.Advance(TimeSpan.FromSeconds(1));
        await releasing.WaitAsync(RunningBus.Patience, Token);
        answer.SetException(new InvalidOperationException(Marker));
    }));

    /// <summary>The probe of a store exceeds the deadline, and fails later.</summary>
    [Fact]
    public async Task Probe_FailsAfterTheDeadline_LeavesNoUnobservedException() => Assert.Empty(await UnobservedAsync(async () =>
    {
        var time = new FakeTimeProvider();
        var writer = new DurableWriter(TestServices.Create(time));
        var (answer, attempts, probes) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), 0, 0);

        var writing = RepeatAsync();
        time.Advance(TimeSpan.FromSeconds(5));
        await time.AdvanceUntilAsync(TimeSpan.FromMilliseconds(100), "the write is repeated", () => writing.IsCompleted, Token);
        await writing;
        answer.SetException(new InvalidOperationException(Marker));

        async Task RepeatAsync()
        {
            await using var write = writer.Begin(
                new WriteSubject("mail", "order.placed", "1", _ => ++probes == 1 ? answer.Task : Task.CompletedTask),
                new ConcurrencyLimiter(1));
            while (++attempts == 1)
            {
                await write.RepeatAsync(new InvalidOperationException("no"));
            }
        }
    }));

    /// <summary>
    /// While the bus stops, only its own handlers may publish, including the handlers of an ordered subscription.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Publish_FromAHandlerWhileTheBusStops_IsAccepted(bool ordered)
    {
        var (begun, stopping) = (
            new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously),
            new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        IEventBus? bus = null;
        Exception? error = null;
        var running = await RunningBus.StartAsync(
            builder => builder.UseInMemory().Subscribe("mail", s => (ordered ? s.Ordered() : s).On<OrderPlaced>(async (_, _, _) =>
            {
                begun.SetResult();
                await stopping.Task;
                error = await Record.ExceptionAsync(() => bus!.PublishAsync(new OrderShipped("1"), Token));
            })));
        bus = running.Bus;
        await bus.PublishAsync(new OrderPlaced("1"), Token);
        await begun.Task.WaitAsync(RunningBus.Patience, Token);
        var stop = running.StopAsync();
        await Until.TrueAsync(
            "the bus stops",
            async () => await Record.ExceptionAsync(() => bus.PublishAsync(new OrderShipped("2"), Token)) is not null,
            Token);
        stopping.SetResult();
        await stop;
        await running.DisposeAsync();

        Assert.Null(error);
    }

    [Fact]
    public async Task Provider_DisposedWithoutAStop_IsReported()
    {
        using var logs = new LogMemory();
        var services = new ServiceCollection().AddLogging(logging => logging.AddProvider(logs))
            .AddEventBus(bus => bus.UseInMemory().Subscribe<OrderPlaced>("mail", (_, _, token) => Task.Delay(Timeout.Infinite, token)));
        var provider = services.BuildServiceProvider();
        foreach (var service in provider.GetServices<IHostedService>())
        {
            await service.StartAsync(Token);
        }

        await provider.GetRequiredService<IEventBus>().PublishAsync(new OrderPlaced("1"), Token);
        ((IDisposable)provider).Dispose();

        Assert.Contains(logs.At(LogLevel.Warning), text => text.Contains(
            "disposed of while the event bus was running",
            StringComparison.Ordinal) && text.Contains("Unfinished deliveries: 1 ", StringComparison.Ordinal));
    }

    private static async Task<IReadOnlyCollection<string>> UnobservedAsync(Func<Task> run)
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
            await run();

            // Leaves the stack, so that nothing there refers to the task.
            await Task.Yield();

            // Finalizers report the exceptions of abandoned tasks.
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

        return unobserved.Items;
    }

    private static async Task LiveAsync()
    {
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var running = await RunningBus.StartAsync(bus => bus.UseInMemory()
            .Configure(options => options.DrainTimeout = TimeSpan.FromMilliseconds(100))
            .Subscribe("mail", s => s.On<OrderPlaced>(async (_, _, token) =>
            {
                token.Register(() => throw new InvalidOperationException(Marker));
                started.SetResult();
                await end.Task;
                throw new InvalidOperationException(Marker);
            })));
        await running.Bus.PublishAsync(new OrderPlaced("1"), Token);
        await started.Task.WaitAsync(RunningBus.Patience, Token);
        await running.DisposeAsync();

        // The abandoned handler fails now.
        end.SetResult();
        await Task.Yield();
    }
}
