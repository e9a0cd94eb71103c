namespace EventBus.Conformance;

/// <summary>Tests names: two different pairs of service and subscription never share a name on a backend.</summary>
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
