using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace EventBus.Conformance;

/// <summary>
/// Tests that a broker keeps events while no instance runs, and that the bus recovers from interruptions of the broker.
/// </summary>
internal static class BrokerScenarios
{
    private const int Count = 300;

    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "events-wait",
            "Events published while no instance runs wait for the next one, so that a deployment or a crash loses nothing.",
            EventsWaitAsync) { SkipUnless = TransportRule.Durable },
        new(
            "severed-connections",
            "After every connection was cut the bus recovers by itself and loses nothing, so that a network failure needs no restart.",
            run => InterruptAsync(run, run.Backend.SeverConnectionsAsync),
            exclusive: true)
        {
            SkipUnless = TransportRule.All(
                TransportRule.Can(backend => backend.CanSeverConnections, "This run has no connection that it may cut."),
                TransportRule.Redelivers),
        },
        new(
            "broker-restart",
            "After a restart of the broker the bus recovers by itself and loses nothing, so that maintenance needs no restart of "
                + "applications.",
            run => InterruptAsync(run, run.Backend.RestartBrokerAsync),
            exclusive: true)
        {
            SkipUnless = TransportRule.All(
                TransportRule.Can(backend => backend.CanRestartBroker, "This run has no broker that it may restart."),
                TransportRule.Durable),
        },
        new(
            "publish-through-a-restart",
            "Events that are published while the broker restarts, and were certainly not sent, are sent within their deadline, so that a "
                + "short outage causes no error in the application.",
            PublishThroughARestartAsync,
            exclusive: true)
        {
            SkipUnless = TransportRule.Can(backend => backend.CanRestartBroker, "This run has no broker that it may restart."),
        },
    ];

    private static async Task EventsWaitAsync(TransportRun run)
    {
        var handled = new Ledger<int>();
        var first = await run.StartAsync(Configure);
        await first.Bus.PublishAsync(new ParcelSent(0));
        await handled.WaitForCountAsync(1, "an event is handled");
        await first.StopAsync();

        var publisher = await run.StartAsync(bus => bus.Configure(options => options.Consume = false).Publishes<ParcelSent>());
        for (var i = 1; i < 20; i++)
        {
            await publisher.Bus.PublishAsync(new ParcelSent(i));
        }

        _ = await run.StartAsync(Configure);
        await handled.WaitForCountAsync(20, "an event is handled");
        Expect.Sequence(Enumerable.Range(0, 20), handled.Items.Order(), "the events that both instances handled");

        void Configure(EventBusBuilder bus) => bus.Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number));
    }

    private static async Task PublishThroughARestartAsync(TransportRun run)
    {
        var timeout = TimeSpan.FromSeconds(60);
        var node = await run.StartAsync(bus => bus.Publishes<ParcelSent>());
        var failures = new List<string>();
        await node.Bus.PublishAsync(new ParcelSent(0));
        var restarting = run.Backend.RestartBrokerAsync(CancellationToken.None);
        var publishing = PublishAsync();
        await Expect.WithinAsync(restarting, "the restart ends", timeout);
        await Expect.WithinAsync(publishing, "a publish after the restart is accepted", timeout);
        Expect.That(failures.Count == 0, $"no publish fails before its deadline, but: {string.Join(' ', failures)}");

        async Task PublishAsync()
        {
            // Publishes until an event is accepted whose publish began after the restart.
            var number = 0;
            var acceptedAfterRestart = false;
            while (!acceptedAfterRestart)
            {
                number++;
                var restarted = restarting.IsCompleted;
                try
                {
                    await node.Bus.PublishAsync(new ParcelSent(number), new PublishOptions { Key = "one", Timeout = timeout });
                    acceptedAfterRestart = restarted;
                }
                catch (PublishException exception) when (exception.Failure == PublishFailure.InDoubt)
                {
                    // Allowed: the broker may have accepted the event before it stopped.
                }
                catch (PublishException exception)
                {
                    failures.Add(exception.Message);
                }
            }
        }
    }

    private static async Task InterruptAsync(TransportRun run, Func<CancellationToken, Task> interrupt)
    {
        var timeout = TimeSpan.FromSeconds(60);
        var handled = new Ledger<int>();
        var ordered = new Ledger<int>();
        var node = await run.StartAsync(bus =>
        {
            bus.Services.AddHealthChecks();
            bus.Subscribe<ParcelSent>("parallel", (e, _, _) => handled.RecordAsync(e.Number));
            bus.Subscribe("ordered", s => run.OrderWherePossible(s).On<ParcelSent>((e, _, _) => ordered.RecordAsync(e.Number)));
        });
        var publishing = PublishAsync();
        await handled.WaitForCountAsync(Count / 3, "an event is handled", timeout);
        await Expect.WithinAsync(interrupt(CancellationToken.None), "the interruption ends", timeout);
        await Expect.WithinAsync(publishing, "every publish is accepted in the end", timeout);

        // Duplicates are allowed, loss is not.
        await handled.WaitUntilAsync(items => items.Distinct().Count() == Count, "every event is handled", timeout);
        await ordered.WaitUntilAsync(
            items => items.Distinct().Count() == Count,
            "every event is handled in the ordered subscription",
            timeout);
        if (run.Features.Ordered)
        {
            Expect.Sequence(Enumerable.Range(0, Count), ordered.Items.Distinct(), "the order of the first handling of each event");
        }

        await Expect.WithinAsync(WaitUntilHealthyAsync(node), "the bus is healthy after the interruption", timeout);

        async Task PublishAsync()
        {
            using var deadline = new CancellationTokenSource(timeout, TimeProvider.System);
            for (var i = 0; i < Count; i++)
            {
                // Publishes the same event again, as the error message recommends.
                var accepted = false;
                while (!accepted)
                {
                    try
                    {
                        await node.Bus.PublishAsync(
                            new ParcelSent(i),
                            new PublishOptions { EventId = $"{run.Isolation}-{i}", Key = "one", Timeout = TimeSpan.FromSeconds(2) },
                            deadline.Token);
                        accepted = true;
                    }
                    catch (PublishException exception) when (exception.Failure is PublishFailure.Failed or PublishFailure.InDoubt)
                    {
                        await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, deadline.Token);
                    }
                }
            }
        }
    }

    private static async Task WaitUntilHealthyAsync(Node node)
    {
        // A broker that shuts down gracefully may handle all events before it is interrupted: then the bus is unhealthy
        // only now.
        var health = node.Services.GetRequiredService<HealthCheckService>();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while ((await health.CheckHealthAsync()).Status != HealthStatus.Healthy)
        {
            await timer.WaitForNextTickAsync();
        }
    }
}
