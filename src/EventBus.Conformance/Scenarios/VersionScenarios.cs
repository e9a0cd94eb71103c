namespace EventBus.Conformance;

/// <summary>Tests versions of events: a handler of the newest version receives older ones, converted.</summary>
internal static class VersionScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "upcasting",
            "A handler of the new version receives converted events of the old version, so that publishers and handlers can be deployed "
                + "independently.",
            UpcastingAsync),
    ];

    private static async Task UpcastingAsync(TransportRun run)
    {
        var handled = new Ledger<(decimal Kilograms, int Version)>();
        var node = await run.StartAsync(bus => bus.Upcast<ParcelWeighedV1, ParcelWeighedV2>(old => new ParcelWeighedV2(old.Grams / 1000m))
            .Subscribe<ParcelWeighedV2>("scale", (e, context, _) => handled.RecordAsync((e.Kilograms, context.EventVersion))));
        await node.Bus.PublishAsync(new ParcelWeighedV1(1500));
        await node.Bus.PublishAsync(new ParcelWeighedV2(2.5m));
        await handled.WaitForCountAsync(2, "an event is handled");
        Expect.Sequence(
            [(1.5m, 1), (2.5m, 2)],
            handled.Items.Order(),
            "the events that the handler of version 2 received, with the version that was published");
    }
}
