using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Two different pairs of service and subscription never make one name of a backend.</summary>
internal static class NameScenarios
{
    private static readonly Func<Backend, TransportFeatures, string?> Meets = Rule.Needs(features => features.SharesSubscriptions, "The instances of a service do not share subscriptions on this backend.");

    // Names that a backend or a store could take for its own or for parts of others, and names that differ only by what may separate.
    private static string[] Subscriptions =>
    [
        "mail", "orders.mail", "orders-mail", "orders_mail", "orders.dead-letters", "mail.retries", "dead-letters", "alerts", "retries", "wait-5000ms", "last", "of", "due", "places", ".", "-", "_", "..",
    ];

    public static IEnumerable<Scenario> All { get; } =
    [
        new("names-apart", "Subscriptions whose names are made to collide each get every event and keep their own dead letters, so that a name chosen freely never takes events from another.", SubscriptionsAsync),
        new("services-apart", "Services whose names and subscriptions run together to the same text each get every event, so that a new service takes nothing from another.", ServicesAsync) { RuledOut = Meets },
    ];

    private static async Task SubscriptionsAsync(ScenarioRun run)
    {
        var handled = new Ledger<(string Subscription, int Number)>();
        var node = await run.StartAsync(bus =>
        {
            bus.Retry(count: 0);
            foreach (var name in Subscriptions)
            {
                bus.Subscribe<ParcelSent>(name, (e, _, _) => HandleAsync(name, e.Number));
            }
        });

        foreach (var number in Enumerable.Range(0, Subscriptions.Length))
        {
            await node.Bus.PublishAsync(new ParcelSent(number), new PublishOptions { EventId = $"{run.Isolation}-{number}" });
        }

        await handled.ReachAsync(Subscriptions.Length * (Subscriptions.Length - 1), "an event is handled");
        await node.Alerts.ReachAsync(Subscriptions.Length, "an alert is raised");
        await node.QuietAsync();
        var expected = Subscriptions.SelectMany((name, own) => Enumerable.Range(0, Subscriptions.Length).Where(number => number != own).Select(number => $"{name}: {number}"));
        Expect.Sequence(expected.Order(StringComparer.Ordinal), handled.Items.Select(item => $"{item.Subscription}: {item.Number}").Order(StringComparer.Ordinal), "what each subscription handled");
        for (var own = 0; own < Subscriptions.Length; own++)
        {
            var letters = await node.DeadLetters.ListAsync(new DeadLetterFilter { Subscription = Subscriptions[own] });
            Expect.Sequence([$"{run.Isolation}-{own}"], letters.Select(letter => letter.EventId), $"the dead letters of '{Subscriptions[own]}'");
        }

        // Each fails on the event that has its number.
        Task HandleAsync(string name, int number) =>
            Subscriptions[number] == name ? throw new InvalidOperationException("The handler fails on purpose.") : handled.NoteAsync((name, number));
    }

    private static async Task ServicesAsync(ScenarioRun run)
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
        foreach (var application in pairs.GroupBy(pair => pair.Service, pair => pair.Subscription))
        {
            nodes.Add(await run.StartAsync(bus =>
            {
                bus.Configure(options => options.ServiceName = application.Key);
                foreach (var name in application)
                {
                    bus.Subscribe<ParcelSent>(name, (e, _, _) => handled.NoteAsync((application.Key, name, e.Number)));
                }
            }));
        }

        for (var number = 0; number < 20; number++)
        {
            await nodes[number % nodes.Count].Bus.PublishAsync(new ParcelSent(number));
        }

        await handled.ReachAsync(20 * pairs.Length, "an event is handled");
        var expected = pairs.SelectMany(pair => Enumerable.Range(0, 20).Select(number => $"{pair.Service} {pair.Subscription}: {number}"));
        Expect.Sequence(expected.Order(StringComparer.Ordinal), handled.Items.Select(item => $"{item.Service} {item.Subscription}: {item.Number}").Order(StringComparer.Ordinal), "what each subscription of each service handled");
    }
}
