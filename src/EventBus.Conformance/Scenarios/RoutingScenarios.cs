using System.Text;
using EventBus.Transports;

namespace EventBus.Conformance;

/// <summary>Tests routing: a subscription gets the events that match its patterns, and no others.</summary>
internal static class RoutingScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "topic-isolation",
            "A subscription gets the events that it subscribes to and no others, so that other events cost it nothing.",
            TopicIsolationAsync),
        new(
            "wildcard-patterns",
            "One wildcard grammar holds on every backend, so that changing the backend changes no routing.",
            WildcardPatternsAsync),
    ];

    private static async Task TopicIsolationAsync(TransportRun run)
    {
        var parcels = new Ledger<string>();
        var invoices = new Ledger<string>();
        var node = await run.StartAsync(bus =>
        {
            bus.SubscribePattern("parcels", ParcelSent.EventName, (context, _) => parcels.RecordAsync(context.EventName));
            bus.SubscribePattern("invoices", "invoice.paid", (context, _) => invoices.RecordAsync(context.EventName));
            bus.Publishes<ParcelSent>().Publishes<ParcelReturned>().Publishes<InvoicePaid>();
        });

        foreach (var i in Enumerable.Range(0, 10))
        {
            await node.Bus.PublishAsync(new ParcelReturned(i));
            await node.Bus.PublishAsync(new ParcelSent(i));
            await node.Bus.PublishAsync(new InvoicePaid(i));
        }

        await parcels.WaitForCountAsync(10, "a parcel is handled");
        await invoices.WaitForCountAsync(10, "an invoice is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(Enumerable.Repeat(ParcelSent.EventName, 10), parcels.Items, "the events of the subscription to parcel.sent");
        Expect.Sequence(Enumerable.Repeat("invoice.paid", 10), invoices.Items, "the events of the subscription to invoice.paid");
    }

    private static async Task WildcardPatternsAsync(TransportRun run)
    {
        string[] names =
        [
            "order.placed",
            "order.paid",
            "order-line.placed",
            "order.line.placed",
            "order.line.item.placed",
            "stock.order.placed",
            "stock.placed"
        ];
        (string Pattern, string[] Matching)[] table =
        [
            ("#", names),
            ("order.placed", ["order.placed"]),
            ("order.*", ["order.placed", "order.paid"]),
            ("*.placed", ["order.placed", "order-line.placed", "stock.placed"]),
            ("order.#", ["order.placed", "order.paid", "order.line.placed", "order.line.item.placed"]),
            (
                "#.placed",
                ["order.placed", "order-line.placed", "order.line.placed", "order.line.item.placed", "stock.order.placed", "stock.placed"]),
            ("order.#.placed", ["order.placed", "order.line.placed", "order.line.item.placed"]),
            ("*.*.placed", ["order.line.placed", "stock.order.placed"]),
            ("order.*.#", ["order.placed", "order.paid", "order.line.placed", "order.line.item.placed"]),
            ("#.order.#", ["order.placed", "order.paid", "order.line.placed", "order.line.item.placed", "stock.order.placed"]),
        ];
        var received = table.Select(_ => new Ledger<string>()).ToArray();
        var node = await run.StartAsync(bus =>
        {
            // On some backends a pattern that begins with a wildcard covers only the first words of declared events.
            bus.Publishes<OrderPlaced>().Publishes<OrderLinePlaced>().Publishes<StockPlaced>();
            for (var i = 0; i < table.Length; i++)
            {
                var ledger = received[i];
                bus.SubscribePattern($"pattern-{i}", table[i].Pattern, (context, _) => ledger.RecordAsync(context.EventName));
            }
        });

        foreach (var name in names)
        {
            await node.SendAsync(
                new Envelope(new EnvelopeAttributes { Id = $"{run.Isolation}-{name}", Name = name }, Encoding.UTF8.GetBytes("{}")));
        }

        for (var i = 0; i < table.Length; i++)
        {
            await received[i].WaitForCountAsync(table[i].Matching.Length, $"an event is handled for the pattern {table[i].Pattern}");
        }

        await node.WhenIdleAsync();
        for (var i = 0; i < table.Length; i++)
        {
            Expect.Sequence(
                table[i].Matching.Order(StringComparer.Ordinal),
                received[i].Items.Order(StringComparer.Ordinal),
                $"the list of names that {table[i].Pattern} matches");
        }
    }
}
