using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Conformance;

/// <summary>Tests several buses of one application: each is a service of its own.</summary>
internal static class KeyedBusScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "buses-apart",
            "Two buses of one application with the same subscriptions, event ids and stores keep their delayed events, retries, marks and "
                + "dead letters apart, so that a second bus takes nothing from the first.",
            BusesApartAsync),
        new(
            "buses-share",
            "Two buses of one application, and services with similar names, each get every event in subscriptions with equal names, so "
                + "that each bus is a service of its own.",
            BusesShareAsync) { SkipUnless = TransportRule.SharesSubscriptions },
    ];

    private static async Task BusesApartAsync(TransportRun run)
    {
        const string Subscription = "same-name";
        const int Count = 20;
        var first = new Ledger<(int Number, string IdempotencyKey)>();
        var second = new Ledger<(int Number, string IdempotencyKey)>();
        var node = await run.StartAsync(bus =>
        {
            // Each bus has its own event type, so that the two can only interfere by mistake.
            bus.Subscribe(Subscription, s => s.On<ParcelSent>((e, context, _) => HandleAsync(first, e.Number, context)).Idempotent());
            bus.Services.AddKeyedEventBus("second", other => run.Prepare(other, run.Isolation)
                .Subscribe(Subscription, s => s.On<InvoicePaid>((e, context, _) => HandleAsync(second, e.Number, context)).Idempotent()));
        });
        var otherBus = node.Services.GetRequiredKeyedService<IEventBus>("second");
        var otherDeadLetters = node.Services.GetRequiredKeyedService<IDeadLetters>("second");

        var due = TimeProvider.System.GetUtcNow() + TimeSpan.FromMilliseconds(200);
        for (var number = 0; number < Count; number++)
        {
            var options = new PublishOptions { NotBefore = due, EventId = $"{run.Isolation}-{number}" };
            await node.Bus.PublishAsync(new ParcelSent(number), options);
            await otherBus.PublishAsync(new InvoicePaid(number), options);
        }

        await first.WaitForCountAsync(Count - 1, "the first bus handles an event");
        await second.WaitForCountAsync(Count - 1, "the second bus handles an event");
        await node.Alerts.WaitForCountAsync(2, "an alert is raised");
        await node.WhenIdleAsync();
        foreach (var (ledger, letters, name) in new[]
        {
            (first, node.DeadLetters, ParcelSent.EventName),
            (second, otherDeadLetters, "invoice.paid")
        })
        {
            Expect.Sequence(
                Enumerable.Range(1, Count - 1),
                ledger.Items.Select(item => item.Number).Order(),
                $"the events that the bus of {name} handled");
            Expect.Sequence(
                [(name, $"{run.Isolation}-0")],
                (await letters.ListAsync()).Select(letter => (letter.EventName, letter.EventId)),
                $"the dead letters of the bus of {name}");
        }

        var keysOfFirst = first.Items.Select(item => item.IdempotencyKey);
        var keysOfSecond = second.Items.Select(item => item.IdempotencyKey);
        Expect.Sequence([], keysOfFirst.Intersect(keysOfSecond, StringComparer.Ordinal), "the idempotency keys that both buses use");
        Expect.Equal(1, await otherDeadLetters.RetryAllAsync(), "the number of dead letters that the second bus retries");
        await node.Alerts.WaitForCountAsync(3, "an alert is raised");
        Expect.Equal(
            (1L, 1L),
            (await node.DeadLetters.CountAsync(), await otherDeadLetters.CountAsync()),
            "the numbers of dead letters in the end");

        // Event 0 always fails, and the next three fail once.
        static Task HandleAsync(Ledger<(int, string)> ledger, int number, EventContext context) =>
            number == 0 || (number < 4 && context.Attempt == 1)
                ? throw new InvalidOperationException("The handler fails on purpose.")
                : ledger.RecordAsync((number, context.IdempotencyKey));
    }

    private static async Task BusesShareAsync(TransportRun run)
    {
        const int Count = 20;
        string[] subscriptions = ["mail", "second.mail", "second"];
        string[] keysOfOtherBuses = ["second", "second.mail", "a key: {x}"];
        string[] otherServices = [$"{run.Isolation}.second", $"{run.Isolation}-second", $"{run.Isolation}_second"];
        var handled = new Ledger<(string Bus, string Subscription, int Number)>();
        var node = await run.StartAsync(bus =>
        {
            Subscribe(bus, "default");
            foreach (var key in keysOfOtherBuses)
            {
                bus.Services.AddKeyedEventBus(key, other => Subscribe(run.Prepare(other, run.Isolation), key));
            }
        });
        foreach (var service in otherServices)
        {
            await run.StartAsync(bus => Subscribe(bus.Configure(options => options.ServiceName = service), service));
        }

        for (var number = 0; number < Count; number++)
        {
            var publisher = number % 2 == 0 ? node.Bus : node.Services.GetRequiredKeyedService<IEventBus>("second");
            await publisher.PublishAsync(new ParcelSent(number));
        }

        var buses = 1 + keysOfOtherBuses.Length + otherServices.Length;
        await handled.WaitForCountAsync(Count * subscriptions.Length * buses, "an event is handled");
        foreach (var group in handled.Items.GroupBy(item => (item.Bus, item.Subscription), item => item.Number))
        {
            Expect.Sequence(
                Enumerable.Range(0, Count),
                group.Order(),
                $"the events that '{group.Key.Subscription}' of '{group.Key.Bus}' handled");
        }

        void Subscribe(EventBusBuilder bus, string owner)
        {
            foreach (var name in subscriptions)
            {
                bus.Subscribe<ParcelSent>(name, (e, _, _) => handled.RecordAsync((owner, name, e.Number)));
            }
        }
    }
}
