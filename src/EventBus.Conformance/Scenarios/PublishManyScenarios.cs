namespace EventBus.Conformance;

/// <summary>Tests the publishing of a list: each item has its own result.</summary>
internal static class PublishManyScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "publish-many",
            "A list is delivered completely, and a rejected item is reported and holds back the later items of its key, so that a batch "
                + "never breaks an order.",
            PublishManyAsync),
    ];

    private static async Task PublishManyAsync(TransportRun run)
    {
        const int Count = 600;
        var handled = new Ledger<int>();
        var node = await run.StartAsync(bus =>
        {
            bus.Configure(options => options.MaxBodyBytes = 4_000).Subscribe<ParcelSent>("all", (e, _, _) => handled.RecordAsync(e.Number));
            bus.Event<ParcelSent>().KeyedBy(e => $"key-{e.Number % 3}");
        });

        await node.Bus.PublishManyAsync([.. Enumerable.Range(0, Count).Select(i => new ParcelSent(i))]);
        await handled.WaitForCountAsync(Count, "an event is handled");
        Expect.Sequence(Enumerable.Range(0, Count), handled.Items.Order(), "the handled events of a list");

        // Item 3 is oversized. Item 6 has the same key, so it is not sent.
        var mixed = Enumerable.Range(Count, 9).Select(i => new ParcelSent(i, i == Count + 3 ? new string('x', 5_000) : null)).ToList();
        var failure = await Expect.ThrowsAsync<PublishManyException>(
            () => node.Bus.PublishManyAsync(mixed),
            "a list with an oversized item fails");
        Expect.Sequence<PublishFailure?>(
            [null, null, null, PublishFailure.Rejected, null, null, PublishFailure.Failed, null, null],
            failure.Items.Select(item => item?.Failure),
            "the report of the items");
        await handled.WaitForCountAsync(Count + 7, "an event is handled");
        await node.WhenIdleAsync();
        Expect.Sequence(
            [0, 1, 2, 4, 5, 7, 8],
            handled.Items.Skip(Count).Select(number => number - Count).Order(),
            "the handled items of a list whose item 3 was refused");
    }
}
