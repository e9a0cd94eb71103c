namespace EventBus.Conformance;

/// <summary>
/// Tests delivery: an event reaches its handler completely, as one of several types or through an interface.
/// </summary>
internal static class DeliveryScenarios
{
    private const int Count = 100;

    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "publish-subscribe",
            "Every accepted event reaches its handler with its content, id, key, time, headers and correlation unchanged, so that "
                + "handlers can rely on what publishers wrote.",
            PublishSubscribeAsync),
        new(
            "several-types-one-subscription",
            "One subscription handles several event types, each with its own handler, and misses none, so that related events can share "
                + "one order.",
            SeveralTypesAsync),
        new(
            "interface-subscription",
            "A subscription to an interface gets every known event type that is assignable to it, each event once, so that one handler can "
                + "serve several event types.",
            InterfaceAsync),
    ];

    private static async Task PublishSubscribeAsync(TransportRun run)
    {
        var handled = new Ledger<(
            ParcelSent Event,
            string Id,
            string? Key,
            DateTimeOffset Time,
            string Correlation,
            string? Causation,
            string Header,
            int Attempt)>();
        var node = await run.StartAsync(bus => bus.Subscribe<ParcelSent>("all", (e, context, _) =>
            handled.RecordAsync((
                e,
                context.EventId,
                context.Key,
                context.Time,
                context.CorrelationId,
                context.CausationId,
                context.Headers["x-number"],
                context.Attempt))));

        // The time of an event may be rounded down to whole milliseconds.
        var before = DateTimeOffset.FromUnixTimeMilliseconds(TimeProvider.System.GetUtcNow().ToUnixTimeMilliseconds());
        for (var i = 0; i < Count; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i, $"Päckchen {i} \"📦\""), new PublishOptions
            {
                EventId = $"{run.Isolation}-{i}",
                Key = $"key {i} é",
                CorrelationId = $"process-{i}",
                Headers = new Dictionary<string, string> { ["x-number"] = $"ü {i}", ["Other.Header_1"] = "" },
            });
        }

        await handled.WaitForCountAsync(Count, "an event is handled");
        await node.WhenIdleAsync();
        var after = TimeProvider.System.GetUtcNow();
        Expect.Sequence(Enumerable.Range(0, Count), handled.Items.Select(item => item.Event.Number).Order(), "the list of handled events");
        foreach (var (e, id, key, time, correlation, causation, header, attempt) in handled.Items)
        {
            Expect.Equal($"Päckchen {e.Number} \"📦\"", e.Note, "the content");
            Expect.Equal($"{run.Isolation}-{e.Number}", id, "the id");
            Expect.Equal($"key {e.Number} é", key, "the key");
            Expect.Equal($"process-{e.Number}", correlation, "the correlation id");
            Expect.Equal(null, causation, "the causation id of an event that no handler published");
            Expect.Equal($"ü {e.Number}", header, "the header");
            Expect.Equal(1, attempt, "the attempt");
            Expect.That(
                time >= before && time <= after && time.Offset == TimeSpan.Zero,
                $"a time between {before:O} and {after:O} in UTC",
                time.ToString("O"));
        }
    }

    private static async Task SeveralTypesAsync(TransportRun run)
    {
        var handled = new Ledger<string>();
        var node = await run.StartAsync(bus => bus.Subscribe("all", s => s
            .On<ParcelSent>((e, _, _) => handled.RecordAsync($"sent {e.Number}"))
            .On<ParcelReturned>((e, _, _) => handled.RecordAsync($"returned {e.Number}"))
            .On<InvoicePaid>((e, _, _) => handled.RecordAsync($"paid {e.Number}"))));

        foreach (var i in Enumerable.Range(0, 20))
        {
            await node.Bus.PublishAsync(new ParcelSent(i));
            await node.Bus.PublishAsync(new ParcelReturned(i));
            await node.Bus.PublishAsync(new InvoicePaid(i));
        }

        await handled.WaitForCountAsync(60, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(
            Enumerable.Range(0, 20).SelectMany(i => new[] { $"sent {i}", $"returned {i}", $"paid {i}" }).Order(StringComparer.Ordinal),
            handled.Items.Order(StringComparer.Ordinal),
            "the list of handled events");
    }

    private static async Task InterfaceAsync(TransportRun run)
    {
        var handled = new Ledger<string>();
        var node = await run.StartAsync(bus => bus
            .Publishes<ParcelLost>().Publishes<ParcelLostAbroad>().Publishes<InvoicePaid>()
            .Subscribe<IParcelEvent>("parcels", (e, context, _) => handled.RecordAsync($"{context.EventName} {e.Number}")));

        foreach (var i in Enumerable.Range(0, 20))
        {
            await node.Bus.PublishAsync(new ParcelLost(i));
            await node.Bus.PublishAsync(new ParcelLostAbroad(i));
            await node.Bus.PublishAsync(new InvoicePaid(i));
        }

        await handled.WaitForCountAsync(40, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(
            Enumerable.Range(0, 20).SelectMany(i => new[] { $"parcel.lost {i}", $"parcel.lost-abroad {i}" }).Order(StringComparer.Ordinal),
            handled.Items.Order(StringComparer.Ordinal),
            "the list of handled events");
    }
}
