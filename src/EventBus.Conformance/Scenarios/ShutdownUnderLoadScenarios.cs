namespace EventBus.Conformance;

/// <summary>
/// Tests a shutdown during publishes: every publish ends with a result, and no accepted event is lost.
/// </summary>
internal static class ShutdownUnderLoadScenarios
{
    public static IEnumerable<TransportScenario> All { get; } =
    [
        new(
            "close-while-publishing",
            "When a bus stops under load, every publish ends with a result and no accepted event is lost, so that a deployment loses no "
                + "event.",
            CloseWhilePublishingAsync),
    ];

    private static async Task CloseWhilePublishingAsync(TransportRun run)
    {
        const int Publishers = 8, HandledBeforeStop = 300;
        var handled = new Ledger<int>();
        var node = await run.StartAsync(Configure);
        var next = 0;
        var publishers = Enumerable.Range(0, Publishers)
            .Select(_ => PublishUntilRefusedAsync(node, () => Interlocked.Increment(ref next)))
            .ToArray();
        await handled.WaitForCountAsync(HandledBeforeStop, "an event is handled");
        await Expect.WithinAsync(node.StopAsync(), "the bus stops during publishes", TimeSpan.FromSeconds(30));
        await Expect.WithinAsync(Task.WhenAll(publishers), "every publish ends");

        var accepted = new HashSet<int>();
        foreach (var publisher in publishers)
        {
            var (acceptedByPublisher, refusal) = await publisher;
            accepted.UnionWith(acceptedByPublisher);
            Expect.That(
                refusal.Failure is PublishFailure.Rejected or PublishFailure.Failed or PublishFailure.InDoubt,
                "a typed refusal",
                refusal.Failure);
        }

        // A publish in progress may be accepted after the intake of this instance has stopped. If the backend keeps the
        // event, another instance handles it.
        if (run.Features.Durable || run.Features.SharesSubscriptions)
        {
            _ = await run.StartAsync(Configure);
            await handled.WaitUntilAsync(items => accepted.IsSubsetOf(items), "the next instance handles what was left");
        }

        var lost = accepted.Except(handled.Items).ToList();
        Expect.That(
            lost.Count == 0,
            "every accepted event is handled",
            $"{lost.Count} of {accepted.Count} were lost: {string.Join(", ", lost.Take(10))}");

        void Configure(EventBusBuilder bus) => bus.Subscribe<ParcelSent>("all", async (e, _, _) =>
        {
            await Task.Yield();
            handled.Add(e.Number);
        });
    }

    /// <summary>Publishes until a publish is refused.</summary>
    private static async Task<(List<int> Accepted, PublishException Refusal)> PublishUntilRefusedAsync(Node node, Func<int> nextNumber)
    {
        var accepted = new List<int>();
        await Task.Yield();
        while (true)
        {
            var number = nextNumber();
            try
            {
                await node.Bus.PublishAsync(new ParcelSent(number));
                accepted.Add(number);
                await Task.Yield();
            }
            catch (PublishException refusal)
            {
                return (accepted, refusal);
            }
        }
    }
}
