using EventBus.Stores;

namespace EventBus.Conformance;

/// <summary>Tests the opening of empty stores by several instances.</summary>
internal static class StoreOpenScenarios
{
    public static IEnumerable<StoreScenario> All { get; } =
    [
        new(
            "opened-at-once",
            "Several instances may open the same empty stores at the same time, so that a first deployment needs no order.",
            OpenedAtOnceAsync) { SkipUnless = StoreRule.Durable },
    ];

    private static async Task OpenedAtOnceAsync(StoreRun run)
    {
        // The stores of the run are already open. A new isolation has empty ones.
        var isolation = ScenarioRunner.NewIsolation();
        var instances = Enumerable.Range(0, 4).Select(_ => run.Backend.CreateStores(isolation)).ToList();
        try
        {
            var setup = new StoreSetup(StoreBackend.ServiceName, TimeProvider.System);
            await Expect.WithinAsync(
                Task.WhenAll(instances.Select(stores => stores.OpenAsync(setup, default).AsTask())),
                "four instances open at once");
            if (run.Stores.Failures is not null)
            {
                Expect.That(await instances[0].Failures!.RecordAsync(run.Dead("1"), default), "the first instance keeps a failed event");
                Expect.Equal(1, await instances[3].Failures!.CountAsync(default), "the number of entries that the last instance sees");
            }
        }
        finally
        {
            foreach (var stores in instances)
            {
                await stores.CloseAsync();
            }
        }
    }
}
