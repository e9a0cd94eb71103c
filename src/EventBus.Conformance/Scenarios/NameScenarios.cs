using Microsoft.Extensions.DependencyInjection;

namespace EventBus.Conformance;

/// <summary>
/// Tests names: two different pairs of service and subscription never share a name on a backend, nor do two buses of
/// one service.
/// </summary>
internal static class NameScenarios
{
    // Names that equal internal names of a backend or a store, or parts of them, and names that differ only in a
    // separator.
    private static string[] Subscriptions =>
    [
        "mail",
        "orders.mail",
        "orders-mail",
        "orders_mail",
        "orders.dead-letters",
        "mail.retries",
        "dead-letters",
        "alerts",
        "retries",
        "wait-5000ms",
        "last",
        "of",
        "due",
        "places",
        ".",
        "-",
        "_",
        "..",
    ];

    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "names-apart",
            "Subscriptions with easily confused names each get every event and keep their own dead letters, so that a freely chosen name "
                + "never takes events from another subscription.",
            SubscriptionsAsync),
        new(
            "services-apart",
            "Services whose names and subscriptions form the same text when they are joined each get every event, so that a new service "
                + "takes nothing from another.",
            ServicesAsync) { SkipUnless = TransportRule.SharesSubscriptions },
        new(
            "buses-apart",
            "Two buses of one application with the same subscriptions, event ids and stores keep their delayed events, retries, marks and "
                + "dead letters apart, so that a second bus takes nothing from the first.",
            BusesAsync),
        new(
            "buses-share",
            "Two buses of one application, and services with similar names, each get every event in subscriptions with equal names, so "
                + "that each bus is a service of its own.",
            SharedAsync) { SkipUnless = TransportRule.SharesSubscriptions },
    ];

    private static async Task SubscriptionsAsync(TransportRun run)
    {
        var handled = new Ledger<(string Subscription, int Number)>();
        var node = await run.StartAsync(bus =>
        {
            bus.Retry(maxRetryAttempts: 0);
            foreach (var name in Subscriptions)
            {
                bus.Subscribe<ParcelSent>(name, (e, _, _) => HandleAsync(name, e.Number));
            }
        });

        foreach (var number in Enumerable.Range(0, Subscriptions.Length))
        {
            await node.Bus.PublishAsync(new ParcelSent(number), new PublishOptions { EventId = $"{run.Isolation}-{number}" });
        }

        await handled.WaitForCountAsync(Subscriptions.Length * (Subscriptions.Length - 1), "an event is handled");
        await node.Alerts.WaitForCountAsync(Subscriptions.Length, "an alert is raised");
        await node.WhenIdleAsync();
        var expected = Subscriptions.SelectMany(
            (name, own) => Enumerable.Range(0, Subscriptions.Length).Where(number => number != own).Select(number => $"{name}: {number}"));
        Expect.Sequence(
            expected.Order(StringComparer.Ordinal),
            handled.Items.Select(item => $"{item.Subscription}: {item.Number}").Order(StringComparer.Ordinal),
            "the events that each subscription handled");
        for (var own = 0; own < Subscriptions.Length; own++)
        {
            var letters = await node.DeadLetters.ListAsync(new DeadLetterFilter { Subscription = Subscriptions[own] });
            Expect.Sequence(
                [$"{run.Isolation}-{own}"],
                letters.Select(letter => letter.EventId),
                $"the dead letters of '{Subscriptions[own]}'");
        }

        // Each subscription fails on the event with its own number.
        Task HandleAsync(string name, int number) =>
            Subscriptions[number] == name
                ? throw new InvalidOperationException("The handler fails on purpose.")
                : handled.RecordAsync((name, number));
    }

    private static async Task BusesAsync(TransportRun run)
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

    private static async Task SharedAsync(TransportRun run)
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

    private static async Task ServicesAsync(TransportRun run)
    {
        var service = run.Isolation;
        (string Service, string Subscription)[] pairs =
        [
            (service, "orders.mail"), ($"{service}.orders", "mail"),
            (service, "orders-mail"), ($"{service}-orders", "mail"),
            (service, "orders_mail"), ($"{service}_orders", "mail"),
            (service, "orders.dead-letters"), ($"{service}.orders", "dead-letters"),
            (service, "mail.retries"), ($"{service}.mail", "retries"),
            ($"{service}.mail", "mail"), (service, "mail.mail"),
            ($"{service.ToUpperInvariant()}", "mail"), (service, "mail"),
        ];
        var handled = new Ledger<(string Service, string Subscription, int Number)>();
        var nodes = new List<Node>();
        foreach (var group in pairs.GroupBy(pair => pair.Service, pair => pair.Subscription))
        {
            nodes.Add(await run.StartAsync(bus =>
            {
                bus.Configure(options => options.ServiceName = group.Key);
                foreach (var name in group)
                {
                    bus.Subscribe<ParcelSent>(name, (e, _, _) => handled.RecordAsync((group.Key, name, e.Number)));
                }
            }));
        }

        for (var number = 0; number < 20; number++)
        {
            await nodes[number % nodes.Count].Bus.PublishAsync(new ParcelSent(number));
        }

        await handled.WaitForCountAsync(20 * pairs.Length, "an event is handled");
        var expected = pairs.SelectMany(pair => Enumerable.Range(0, 20).Select(number => $"{pair.Service} {pair.Subscription}: {number}"));
        Expect.Sequence(
            expected.Order(StringComparer.Ordinal),
            handled.Items.Select(item => $"{item.Service} {item.Subscription}: {item.Number}").Order(StringComparer.Ordinal),
            "the events that each subscription of each service handled");
    }
}
