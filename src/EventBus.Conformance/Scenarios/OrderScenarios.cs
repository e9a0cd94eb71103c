namespace EventBus.Conformance;

/// <summary>
/// Tests order: the events of a key are handled one at a time and in order, also when an instance stops.
/// </summary>
internal static class OrderScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "order-per-key",
            "An ordered subscription handles the events of each key one at a time and in the order of the publishes, so that the state "
                + "of an entity never goes back.",
            OrderPerKeyAsync) { SkipUnless = TransportRule.Ordered },
        new(
            "order-across-a-stop",
            "An instance that stops while it handles keeps its keys until it has finished, and a standby instance continues in order, so "
                + "that a deployment never overtakes a handler.",
            StopAsync)
        {
            SkipUnless = TransportRule.All(TransportRule.Ordered, TransportRule.SharesSubscriptions),
        },
    ];

    private static async Task OrderPerKeyAsync(TransportRun run)
    {
        const int Keys = 16, Each = 20;
        var handled = new Ledger<(string Key, int Number)>();
        var inFlight = new int[Keys];
        var node = await run.StartAsync(bus => bus.Subscribe("line", s => s.Ordered().Concurrency(8).On<ParcelSent>(async (e, context, _) =>
        {
            var key = e.Number % Keys;
            Expect.Equal(1, Interlocked.Increment(ref inFlight[key]), $"the number of events of key {key} in a handler");

            // The handlers take different times: events that are handled concurrently would end in another order.
            var yields = (e.Number * 7919) % 5;
            for (var i = 0; i < yields; i++)
            {
                await Task.Yield();
            }

            handled.Add((context.Key!, e.Number));
            Interlocked.Decrement(ref inFlight[key]);
        })));

        for (var i = 0; i < Keys * Each; i++)
        {
            await node.Bus.PublishAsync(new ParcelSent(i), new PublishOptions { Key = $"key-{i % Keys}" });
        }

        await handled.WaitForCountAsync(Keys * Each, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Equal(0, node.Alerts.Items.Count, "the number of alerts");
        foreach (var key in handled.Items.GroupBy(item => item.Key))
        {
            Expect.Sequence(
                Enumerable.Range(0, Each).Select(i => (i * Keys) + (key.First().Number % Keys)),
                key.Select(item => item.Number),
                $"the handled events for {key.Key}");
        }
    }

    private static async Task StopAsync(TransportRun run)
    {
        const int Events = 5, Others = 100;
        var handled = new Ledger<string>();
        var others = new Ledger<int>();
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = await run.StartAsync(Configure);
        await first.Bus.PublishAsync(new ParcelSent(0), new PublishOptions { Key = "k" });
        await handled.WaitForCountAsync(1, "the first event begins");
        var second = await run.StartAsync(Configure);
        for (var i = 1; i < Events; i++)
        {
            await second.Bus.PublishAsync(new ParcelSent(i), new PublishOptions { Key = "k" });
        }

        var stopping = first.StopAsync();

        // While these events are handled, a standby instance that continues too early would handle event 1.
        for (var i = 0; i < Others; i++)
        {
            await second.Bus.PublishAsync(new InvoicePaid(i));
            await others.WaitUntilAsync(items => items.Contains(i), $"another subscription handles event {i}");
        }

        Expect.Sequence(
            ["0 begun"],
            handled.Items,
            "the events that were handled for the key while the instance that stops still handles its first event");
        finish.SetResult();
        await Expect.WithinAsync(stopping, "the first instance stops");
        await handled.WaitForCountAsync(2 * Events, "an event begins or ends", TimeSpan.FromSeconds(60));
        Expect.Sequence(
            Enumerable.Range(0, Events).SelectMany(i => new[] { $"{i} begun", $"{i} ended" }),
            handled.Items,
            "the events that were handled for the key");

        void Configure(EventBusBuilder bus) => bus
            .Subscribe("line", s => s.Ordered().On<ParcelSent>(async (e, _, _) =>
            {
                handled.Add($"{e.Number} begun");
                if (e.Number == 0)
                {
                    await finish.Task;
                }

                handled.Add($"{e.Number} ended");
            }))
            .Subscribe<InvoicePaid>("others", (e, _, _) => others.RecordAsync(e.Number));
    }
}
