using System.Text;
using EventBus.Transports;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>Tests starting and stopping, and their log messages.</summary>
internal static class LifetimeScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "close-while-publishing",
            "When a bus stops under load, every publish ends with a result and no accepted event is lost, so that a deployment loses no "
                + "event.",
            CloseWhilePublishingAsync),
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
        new(
            "health",
            "The health check is healthy while the bus runs and unhealthy when it does not, so that orchestrators see the real state.",
            HealthAsync),
        new("quiet-logs", "A clean run logs nothing above information, so that every warning means something.", QuietLogsAsync),
        new(
            "no-content-in-logs",
            "Neither bodies nor header values appear in any log, also when everything fails, so that logs hold no personal data.",
            NoContentInLogsAsync),
    ];

    private static async Task CloseWhilePublishingAsync(TransportRun run)
    {
        const int Publishers = 8, HandledBeforeStop = 300;
        var handled = new Ledger<int>();
        var node = await run.StartAsync(Configure);
        var next = 0;
        var publishers = Enumerable.Range(0, Publishers)
            .Select(_ => PublishUntilRefusedAsync(node, () => Interlocked.Increment(ref next)))
            .ToArray();
        await handled.WaitForCountAsync(HandledBeforeStop, "an event is handled");
        await Expect.WithinAsync(node.StopAsync(), "the bus stops during publishes", TimeSpan.FromSeconds(30));
        await Expect.WithinAsync(Task.WhenAll(publishers), "every publish ends");

        var accepted = new HashSet<int>();
        foreach (var publisher in publishers)
        {
            var (acceptedByPublisher, refusal) = await publisher;
            accepted.UnionWith(acceptedByPublisher);
            Expect.That(
                refusal.Failure is PublishFailure.Rejected or PublishFailure.Failed or PublishFailure.InDoubt,
                "a typed refusal",
                refusal.Failure);
        }

        // A publish in progress may be accepted after the intake of this instance has stopped. If the backend keeps the
        // event, another instance handles it.
        if (run.Features.Durable || run.Features.SharesSubscriptions)
        {
            _ = await run.StartAsync(Configure);
            await handled.WaitUntilAsync(items => accepted.IsSubsetOf(items), "the next instance handles what was left");
        }

        var lost = accepted.Except(handled.Items).ToList();
        Expect.That(
            lost.Count == 0,
            "every accepted event is handled",
            $"{lost.Count} of {accepted.Count} were lost: {string.Join(", ", lost.Take(10))}");

        void Configure(EventBusBuilder bus) => bus.Subscribe<ParcelSent>("all", async (e, _, _) =>
        {
            await Task.Yield();
            handled.Add(e.Number);
        });
    }

    /// <summary>Publishes until a publish is refused.</summary>
    private static async Task<(List<int> Accepted, PublishException Refusal)> PublishUntilRefusedAsync(Node node, Func<int> nextNumber)
    {
        var accepted = new List<int>();
        await Task.Yield();
        while (true)
        {
            var number = nextNumber();
            try
            {
                await node.Bus.PublishAsync(new ParcelSent(number));
                accepted.Add(number);
                await Task.Yield();
            }
            catch (PublishException refusal)
            {
                return (accepted, refusal);
            }
        }
    }

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
            Expect.Sequence([0, 1], cancelled.Items.Order(), "the handlers whose tokens were cancelled");
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

    private static async Task HealthAsync(TransportRun run)
    {
        var node = await run.StartAsync(bus =>
        {
            bus.Services.AddHealthChecks();
            bus.Subscribe<ParcelSent>("all", (_, _, _) => Task.CompletedTask);
        });
        var health = node.Services.GetRequiredService<HealthCheckService>();
        await node.Bus.PublishAsync(new ParcelSent(1));
        var report = await health.CheckHealthAsync();
        Expect.Equal(
            HealthStatus.Healthy,
            report.Status,
            $"the health of a running bus ({string.Join("; ", report.Entries.Values.Select(entry => entry.Description))})");
        await node.StopAsync();
        Expect.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync()).Status, "the health of a stopped bus");
    }

    private static async Task QuietLogsAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var followUps = new Ledger<int>();
        var node = await run.StartAsync(bus => bus
            .Subscribe<ParcelSent>(
                "parallel",
                (e, context, token) => context.PublishAsync(new ParcelReturned(e.Number), cancellationToken: token))
            .Subscribe("ordered", s => run.OrderWherePossible(s).On<ParcelSent>((e, _, _) => handled.RecordAsync(e.Number)))
            .Subscribe<ParcelReturned>("follow-ups", (e, _, _) => followUps.RecordAsync(e.Number)));
        for (var i = 0; i < 50; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i), new PublishOptions { Key = $"key-{i % 3}" });
        }

        await handled.WaitForCountAsync(50, "an event is handled");
        await followUps.WaitForCountAsync(50, "a follow-up event is handled");
        await node.WhenIdleAsync();
        await node.StopAsync();
        var warnings = node.Logs.Above(LogLevel.Information).Select(entry => entry.Text).ToList();
        Expect.That(warnings.Count == 0, "no log entry above information in a clean run", string.Join("; ", warnings));
    }

    private static async Task NoContentInLogsAsync(TransportRun run)
    {
        // A text that occurs nowhere else.
        const string Canary = "canary-5f1d";
        var attempts = new Ledger<int>();
        var node = await run.StartAsync(bus => bus.Configure(options =>
            {
                options.WarnBodyBytes = 500;
                options.MaxBodyBytes = 2_000;
            })
            .Subscribe<ParcelSent>("all", (e, context, _) =>
            {
                attempts.Add(context.Attempt);
                return e.Number == 0 ? Task.CompletedTask : throw new InvalidOperationException("The handler fails on purpose.");
            }));
        var options = new PublishOptions { Headers = new Dictionary<string, string> { ["x-canary"] = Canary } };
        await node.Bus.PublishAsync(new ParcelSent(0, Canary), options);
        await node.Bus.PublishAsync(new ParcelSent(1, Canary), options);
        await node.Bus.PublishAsync(new ParcelSent(0, Canary + new string('x', 1_000)), options);
        _ = await Expect.ThrowsAsync<PublishException>(
            () => node.Bus.PublishAsync(new ParcelSent(0, Canary + new string('x', 3_000)), options),
            "an oversized event is refused");
        string[] malformed =
        [
            Canary,
            $$"""{"number":"{{Canary}}"}""",
            $$"""{"number":1,"{{Canary}}":1,"{{Canary}}":2}""",
            $$"""{"number":1,"note":{"{{Canary}}":1} }""",
            $$"""{"note":"{{Canary}}" """
        ];
        for (var i = 0; i < malformed.Length; i++)
        {
            var attributes = new EnvelopeAttributes
            {
                Id = $"{run.Isolation}-{i}",
                Name = ParcelSent.EventName,
                Headers = options.Headers
            };
            await node.SendAsync(new Envelope(attributes, Encoding.UTF8.GetBytes(malformed[i])));
        }

        await node.Alerts.WaitForCountAsync(1 + malformed.Length, "an alert is raised");
        await attempts.WaitForCountAsync(6, "a handler is started: once for each of two events, and four times for the one that fails");
        await node.WhenIdleAsync();
        var id = (await node.DeadLetters.ListAsync())[0].Id;
        Expect.That(await node.DeadLetters.DiscardAsync(id, "tried out"), "the discard is accepted");
        await node.StopAsync();
        var leaks = node.Logs.Entries.Items.Where(entry => $"{entry.Text} {entry.Details}".Contains(Canary, StringComparison.Ordinal))
            .Select(entry => entry.Text)
            .ToList();
        Expect.That(leaks.Count == 0, "no log entry with content of an event", string.Join("; ", leaks));
    }
}
