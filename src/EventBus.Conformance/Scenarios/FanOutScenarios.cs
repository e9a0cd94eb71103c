namespace EventBus.Conformance;

/// <summary>Tests fan-out: every subscription gets its own copy of an event.</summary>
internal static class FanOutScenarios
{
    private const int Count = 100;

    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "every-subscription-gets-all",
            "Each subscription gets its own copy of every event, so that adding a handler takes nothing from the others.",
            EverySubscriptionGetsAllAsync),
    ];

    private static async Task EverySubscriptionGetsAllAsync(TransportRun run)
    {
        var received = Enumerable.Range(0, 3).Select(_ => new Ledger<int>()).ToArray();
        var node = await run.StartAsync(bus =>
        {
            for (var i = 0; i < received.Length; i++)
            {
                var ledger = received[i];
                bus.Subscribe<ParcelSent>($"copy-{i}", (e, _, _) => ledger.RecordAsync(e.Number));
            }
        });

        foreach (var i in Enumerable.Range(0, Count))
        {
            await node.Bus.PublishAsync(new ParcelSent(i));
        }

        foreach (var ledger in received)
        {
            await ledger.WaitForCountAsync(Count, "an event is handled");
        }

        await node.WhenIdleAsync();
        foreach (var ledger in received)
        {
            Expect.Sequence(Enumerable.Range(0, Count), ledger.Items.Order(), "the events that one subscription received");
        }
    }
}
