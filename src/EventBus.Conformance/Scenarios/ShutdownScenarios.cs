using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Tests the shutdown: it waits for handlers in flight until its timeout, and can be repeated.</summary>
internal static class ShutdownScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "shutdown-drains",
            "Stopping lets handlers in flight finish and delivers nothing twice, so that a deployment interrupts no work.",
            DrainAsync),
        new(
            "shutdown-is-bounded",
            "Stopping ends soon after its timeout although a handler hangs, so that a deployment never hangs.",
            BoundedStopAsync),
        new(
            "double-stop",
            "A bus can be stopped and disposed twice and at once, so that every way of shutting down is safe.",
            DoubleStopAsync),
    ];

    private static async Task DrainAsync(TransportRun run)
    {
        const int Count = 50;
        var started = new Ledger<int>();
        var finished = new Ledger<int>();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var node = await run.StartAsync(Configure);
        for (var i = 0; i < Count; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i));
        }

        await started.WaitForCountAsync(4, "a handler is started");
        var stopping = node.StopAsync();
        Expect.That(!stopping.IsCompleted, "stopping waits for the handlers in flight");
        release.SetResult();
        await Expect.WithinAsync(stopping, "the bus stops");
        Expect.Equal(started.Items.Count, finished.Items.Count, "the number of handlers that finished of those that were started");
        if (run.Features.Durable)
        {
            _ = await run.StartAsync(Configure);
            await finished.WaitForCountAsync(Count, "an event is handled, if necessary by the next instance");
        }

        Expect.Sequence(Enumerable.Range(0, Count), finished.Items.Order(), "the handled events");
        Expect.Equal(0, node.Logs.Above(LogLevel.Information).Count(), "the number of warnings");

        void Configure(EventBusBuilder bus) => bus.Subscribe("all", s => s.Concurrency(4).On<ParcelSent>(async (e, _, _) =>
        {
            started.Add(e.Number);
            await release.Task;
            finished.Add(e.Number);
        }));
    }

    private static async Task BoundedStopAsync(TransportRun run)
    {
        var started = new Ledger<int>();
        var cancelled = new Ledger<int>();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var node = await run.StartAsync(bus => bus.Configure(options => options.DrainTimeout = TimeSpan.FromMilliseconds(100))
            .Subscribe("hangs", s => s.Concurrency(2).On<ParcelSent>(async (e, _, token) =>
            {
                using var registration = token.Register(() => cancelled.Add(e.Number));
                started.Add(e.Number);
                await release.Task;
            })));
        try
        {
            for (var i = 0; i < 10; i++)
            {
                await node.Bus.PublishAsync(new ParcelSent(i));
            }

            await started.WaitForCountAsync(2, "a handler is started");
            await Expect.WithinAsync(node.StopAsync(), "the bus stops although its handlers hang", TimeSpan.FromSeconds(12));
            Expect.Sequence(started.Items.Order(), cancelled.Items.Order(), "the handlers whose tokens were cancelled");
            Expect.Equal(2, started.Items.Count, "the number of handlers that were started");
        }
        finally
        {
            release.TrySetResult();
        }
    }

    private static async Task DoubleStopAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number)));
        await node.Bus.PublishAsync(new ParcelSent(1));
        await handled.WaitForCountAsync(1, "an event is handled");
        await Expect.WithinAsync(Task.WhenAll(node.StopAsync(), node.StopAsync(), node.StopAsync()), "three stops at once end");
        await Expect.WithinAsync(node.DisposeAsync().AsTask(), "a stopped application is disposed");
        await Expect.WithinAsync(node.StopAsync(), "a disposed application stops");
        Expect.Sequence([1], handled.Items, "the handled events");
    }
}
